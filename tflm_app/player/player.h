/* The player: MIDI messages in, blocks of sound out.
 *
 * It plays with a set of voices. Each voice has its own decoder and FM voice (instrument/instrument.h) and
 * its own expression (player/expression.h). Notes, bends, controllers and pedals belong to their channel, so
 * that the same key on two channels is two notes; the mode is that of all channels, and so is the instrument
 * but in multi mode (`is_multi`). The player responds to:
 *
 *   note on, note off     with velocity; monophonic with last-note priority and slurs, or polyphonic
 *   pitch bend            its range is set by RPN 0, up to 48 semitones; the default is 2
 *   channel pressure,     up to 12 dB louder, within the range of the instrument; the greater of the two
 *   key pressure          counts
 *   CC 1                  vibrato depth, 0 to half a semitone; until the first CC 1, the instrument's usual
 *                         depth
 *   CC 2, 7, 11           breath, volume, expression: change the loudness input of the decoder, not the gain
 *   CC 5, 65              portamento: time (0 to 2 s), on or off
 *   CC 6, 38, 96 - 101    RPN 0, 1 (fine tuning), 2 (coarse tuning of later notes), 6 (MPE): data entry,
 *                         increment and decrement; RPN null and any NRPN protect them
 *   CC 64, 66             sustain pedal; sostenuto pedal
 *   CC 67                 soft pedal: later notes are 6 dB softer
 *   CC 120, 123 - 125     all sound of the channel off (within a block); all its notes off
 *   CC 121                resets the controllers, but not volume, bend range and tuning
 *   CC 126, 127           monophonic, polyphonic; both end all sound of all channels
 *   program change        selects the instrument of later notes by its number: on all channels, or in multi
 *                         mode on its channel, or its MPE zone
 *
 * It ignores all other messages, such as CC 74 (brightness): the network decides about the timbre and has no
 * input for it. By default it receives all channels but 10, that of drums, which it plays if it is chosen.
 *
 * MPE: RPN 6 on channel 1 makes the next 1 to 15 channels the members of the lower zone, and on channel 16
 * those before it the members of the upper one; 0 ends a zone. A zone takes members from the other one where
 * they overlap. Their bend range is 48 semitones, and RPN 0 on one of them sets that of all. Bend, tuning,
 * loudness, pressure, pedals, CC 120 and CC 123 of channel 1 or 16 apply to all members of its zone, besides
 * their own. Members may include channel 10. Channels that join a zone lose their own volume and tuning;
 * those that leave one take its volume over.
 *
 * Controllers that arrive in the same block as a note on a silent channel act from its beginning; those of a
 * channel that sounds are smoothed. A polyphonic note for which no voice is idle takes the voice that was
 * released first, or else the quietest one. A voice that is taken or struck again first fades out within one
 * block (4 ms), so that no note begins with the loudness of another one. A monophonic voice whose note was
 * released rises out of that release instead; a note-off and a note-on in the same block are a slur.
 *
 * Instead of notes, the player can follow frames that were measured in another sound (player_follow). Only
 * the first voice then plays. Program changes and the loudness controllers of the channel that sent the
 * latest message still apply; keys, bend and vibrato do not.
 *
 * With one voice (PLAYER_N_VOICES 1) the player is monophonic. The voices are added as they are, and a
 * limiter (player/limiter.h) turns their sum down where it does not fit.
 *
 * The implementation has five parts: player.c (this interface, mixing), voices.c (the life of a voice),
 * keys.c (held keys and the choice of a voice), channels.c (what each channel has set) and
 * midi_controllers.c. In each block all voices set their frames first; then the networks of two voices at a
 * time are decoded together, and the voices are rendered. With two cores (PLAYER_N_CORES 2), each core does
 * so with half of the voices that sound (player/second_core.h); the samples are the same.
 *
 * Nothing is allocated. State: per voice, that of instrument_t and 88 bytes; 32 bytes per channel, 0.6 kB in
 * all. Cost besides instrument_render of each voice: see player/expression.h, plus 6 instructions per sample
 * for mixing, and the limiter.
 */
#ifndef PLAYER_H
#define PLAYER_H

#include "instrument/instrument.h"
#include "midi/midi_parser.h"
#include "player/expression.h"
#include "player/limiter.h"
#include "shared_constants.h"

#ifdef __cplusplus
extern "C" {
#endif

#ifndef PLAYER_N_VOICES
#define PLAYER_N_VOICES 4 /* the build sets the number that the board has time and memory for */
#endif
SHARED_ASSERT(PLAYER_N_VOICES >= 1 && PLAYER_N_VOICES <= 128, "PLAYER_N_VOICES is from 1 to 128");
#ifndef PLAYER_N_CORES
#define PLAYER_N_CORES 1 /* cores that render voices: 1 or 2 */
#endif
#define PLAYER_N_KEYS 16 /* number of held keys that a monophonic player remembers */
#define PLAYER_N_CHANNELS 16
#define PLAYER_ALL_CHANNELS 16  /* but that of drums, unless it is a member of an MPE zone */
#define PLAYER_EVERY_CHANNEL 17 /* that of drums, too */
#define PLAYER_DRUM_CHANNEL 9   /* channel 10 */
#define PLAYER_NO_NOTE 255
#define PLAYER_USUAL_MODULATION 255 /* no CC 1 was received */
#define PLAYER_USUAL_VOLUME 100     /* General MIDI */
#define PLAYER_MAX_TRANSPOSE 24     /* semitones */
#define PLAYER_MAX_TUNING_CENTS 100

typedef enum {
    VOICE_IDLE,
    VOICE_HELD,
    VOICE_PEDAL,    /* the key is up, but a pedal holds the note */
    VOICE_RELEASED, /* the note has ended and dies away */
    VOICE_LIVE,     /* follows measured frames */
    VOICE_FADING,   /* silent after the next block */
} voice_phase_t;

/* The velocity v that a key's velocity becomes; all curves but the last keep 127. */
typedef enum {
    VELOCITY_LINEAR,
    VELOCITY_SOFT,  /* louder, for a light touch: 127 - (127 - v)^2 / 127 */
    VELOCITY_HARD,  /* softer, for a heavy one: v^2 / 127 */
    VELOCITY_FIXED, /* 100 */
    VELOCITY_N_CURVES
} velocity_curve_t;

/* An instrument as the player plays it, and how its notes sound. */
typedef struct {
    const instrument_preset_t *instrument;
    const expression_t *expression;
} player_preset_t;

#define PLAYER_MAX_PRESETS 128 /* as many as program changes can select */

/* Those that are compiled in, in the order of `instrument_presets`; generated by pipeline.codegen. */
extern const player_preset_t player_presets[];

/* What a voice did in the last block; for observers such as apps/perform. */
typedef enum {
    VOICE_SILENT = SHARED_VOICE_SILENT,
    VOICE_BEGUN = SHARED_VOICE_BEGUN,
    VOICE_PLAYED = SHARED_VOICE_PLAYED,
    VOICE_FADED = SHARED_VOICE_FADED,
} voice_event_t;

typedef struct {
    uint8_t note;
    uint8_t velocity;
    uint8_t channel : 4;
    uint8_t caught : 2; /* bits: by the sostenuto pedal of its channel, by that of its zone */
    bool is_up : 1;     /* only a pedal holds it */
} player_key_t;

/* What the messages of a channel have set. */
typedef struct {
    expression_controls_t controls; /* smoothed */
    uint16_t bend;                  /* 0 to 16383; 8192 is the centre */
    uint16_t parameter;             /* RPN that data entry sets */
    uint16_t fine_tuning;           /* 0 to 16383; 8192: none, 0: a semitone lower */
    uint8_t coarse_tuning;          /* 0 to 127; 64: none, 63: a semitone lower */
    uint8_t bend_semitones;         /* bend range, at most 48 */
    uint8_t bend_cents;
    uint8_t pressure;
    uint8_t modulation; /* or PLAYER_USUAL_MODULATION */
    uint8_t breath, volume, expression;
    bool is_pedal_down : 1, is_sostenuto_down : 1, is_soft : 1;
    bool has_portamento : 1;
    uint8_t portamento_time;
    uint8_t last_note;                   /* or PLAYER_NO_NOTE */
    uint8_t program;                     /* of later notes; the same on all channels if not is_multi */
    uint8_t start_program, start_volume; /* what player_reset restores */
} player_channel_t;

typedef struct {
    instrument_t instrument;
    expression_state_t expression;
    const expression_t *table; /* expression table of the preset */
    uint8_t preset;            /* its number among those of the player */
    uint8_t channel;           /* of its note; with `note`, the key that a note off names */
    uint8_t note;
    uint8_t pressure;    /* on its key */
    int32_t pressure_db; /* gain by pressure, smoothed, Q16 */
    uint32_t released;   /* value of n_released at its release: smaller is older */
    uint8_t caught;      /* as in player_key_t */
    uint8_t phase;       /* voice_phase_t */
    uint8_t event;       /* voice_event_t of the last block */
    uint8_t played;      /* preset that was played in the last block */
    bool has_frame : 1; /* the next block plays a frame, which has to be decoded; otherwise the voice fades */
    bool is_fresh : 1;  /* nothing has been rendered since the decoder was reset */
    uint8_t next_phase; /* phase in which a note begins that waits until the voice has faded, VOICE_HELD or
                           VOICE_PEDAL; VOICE_IDLE: no note waits */
    uint8_t next_velocity; /* of that note, whose key is `channel` and `note` */
    uint8_t next_preset;
} player_voice_t;

typedef struct {
    const player_preset_t *presets;
    player_voice_t voices[PLAYER_N_VOICES];
    player_channel_t channels[PLAYER_N_CHANNELS];
    player_key_t keys[PLAYER_N_KEYS]; /* monophonic: held keys, the latest last */
    uint8_t n_keys;
    bool is_mono : 1;
    bool has_key_up : 1; /* monophonic: keys went up since the last other message or block */
    bool is_live : 1;
    bool is_multi : 1;                          /* a program change applies to its channel */
    bool start_is_mono : 1, start_is_multi : 1; /* what player_reset restores */
    uint8_t n_presets;
    uint8_t program;        /* set last; that of live mode and of a reverb */
    frame_t live_frame;     /* measured frame that the next block follows if is_live */
    uint8_t channel;        /* 0 to 15, PLAYER_ALL_CHANNELS (the default) or PLAYER_EVERY_CHANNEL */
    int8_t transpose;       /* of later notes, +-PLAYER_MAX_TRANSPOSE */
    int8_t tuning_cents;    /* +-PLAYER_MAX_TUNING_CENTS */
    uint8_t velocity_curve; /* velocity_curve_t */
    uint8_t n_members[2];   /* of the lower and the upper MPE zone; 0: none */
    uint8_t latest_channel; /* of the latest message */
    uint32_t sounding;      /* bit i: channel i sounded in the last block */
    uint32_t n_released;
    uint32_t n_stolen; /* notes that were cut off to free a voice */
    limiter_t limiter;
} player_t;

/* Initializes a player with the instruments that are compiled in: silent, first instrument, all channels,
 * polyphonic if it has more than one voice. */
void player_init(player_t *player);

/* The same with other instruments, 1 to PLAYER_MAX_PRESETS. They must stay as they are while the player is
 * used. */
void player_init_presets(player_t *player, const player_preset_t *presets, size_t n_presets);

/* Fades all sound out within a block and restores programs, volumes and modes to those of the start, and
 * everything else to that of player_init but what the console sets: `channel`, `transpose`, `tuning_cents`,
 * `velocity_curve`. */
void player_reset(player_t *player);

/* Handles a message; its effect starts with the next block. */
void player_receive(player_t *player, const midi_message_t *message);

/* Handles a controller, pitch bend or program change on all channels, for controls that belong to the
 * instrument itself, such as the potentiometers of a board. What an MPE zone adds to that of its members,
 * such as volume, is set for the zone only, so that it has the same effect as without a zone. */
void player_receive_everywhere(player_t *player, const midi_message_t *message);

/* Selects the instrument of later notes on all channels. */
void player_set_program(player_t *player, uint8_t program);

/* Lifts all pedals and releases every key; the notes die away. */
void player_release_all(player_t *player);

/* Makes the next block follow a measured frame instead of the keys; NULL returns to the keys. All values of
 * the frame are valid, because they are clamped. When the source changes, all sound fades out within a block
 * and all held keys are forgotten. */
void player_follow(player_t *player, const frame_t *live_frame);

/* Renders the next block of 64 samples, int16 at 16 kHz; `samples` is aligned to 4 bytes. */
void player_render(player_t *player, int16_t samples[FM_BLOCK_SAMPLES]);

/* Fades all sound out within a block and releases every key. */
void player_panic(player_t *player);

/* Returns the volume (CC 7) of the channel of the latest message or of the zone that it is a member of. */
uint8_t player_volume(const player_t *player);

/* Returns the number of voices that are not idle. */
int player_n_sounding(const player_t *player);

#ifdef __cplusplus
}
#endif

#endif
