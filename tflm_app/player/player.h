/* The player: MIDI messages in, blocks of sound out.
 *
 * Ties voices, each with its own decoder and FM voice (instrument/instrument.h) and its own expression
 * (player/expression.h), to the keys and controllers of one MIDI part:
 *
 *   note on, note off     with velocity; monophonic with last-note priority and slurs, or polyphonic
 *   pitch bend            range by RPN 0, 2 semitones unless told
 *   CC 1                  vibrato: none to half a semitone; before it is touched, the instrument's usual one
 *   CC 2, 7, 11           breath, volume, expression: loudness as the instrument plays it, not a fader
 *   CC 5, 65              portamento: time (0 to 2 s), on or off
 *   CC 6, 38, 100, 101    RPN 0
 *   CC 64                 sustain pedal
 *   CC 120, 123 - 125     all sound off (within a block); all notes off
 *   CC 121                all controllers but volume to where they were at the beginning
 *   CC 126, 127           monophonic, polyphonic; both end all sound
 *   program change        instrument of the notes to come, by its number in this firmware
 *
 * Anything else is passed over. A polyphonic note that finds no silent voice takes the one that was released
 * first, else the quietest. A voice of another instrument fades out within one block (4 ms) first.
 *
 * Instead of notes, it can follow frames that are heard in another sound (player_follow): the first voice
 * plays them then, alone and as loud as it is, by the program and the controllers of loudness; keys, bend and
 * vibrato have no say.
 *
 * With one voice (PLAYER_N_VOICES 1) the player is monophonic and a voice is heard as it is. With more,
 * each is halved, so that two at full scale fit and four of ordinary loudness do; beyond that, samples
 * saturate.
 *
 * Nothing is allocated. State: a voice takes that of instrument_t and 96 bytes. Cost besides the voices'
 * instrument_render: see player/expression.h, and 12 instructions a sample to add them up.
 */
#ifndef PLAYER_H
#define PLAYER_H

#include "player/expression.h"
#include "instrument/instrument.h"
#include "midi/midi_parser.h"

#ifndef PLAYER_N_VOICES
#define PLAYER_N_VOICES 4 /* what the board can carry */
#endif
#define PLAYER_N_KEYS 16 /* that a monophonic player remembers; the oldest is forgotten */
#define PLAYER_ALL_CHANNELS 16

typedef enum {
    VOICE_IDLE,
    VOICE_HELD,
    VOICE_PEDAL,    /* its key is up, the sustain pedal down */
    VOICE_RELEASED, /* sounds on by itself */
    VOICE_LIVE,     /* follows what is heard */
    VOICE_FADING,   /* silent after the next block */
} voice_phase_t;

/* What a voice did in the last block, for those who look on. */
typedef enum { VOICE_SILENT, VOICE_BEGUN, VOICE_PLAYED, VOICE_FADED } voice_event_t;

typedef struct {
    uint8_t note;
    uint8_t velocity;
} player_key_t;

typedef struct {
    instrument_t instrument;
    expression_state_t expression;
    const expression_t *table; /* of what it plays */
    uint8_t preset;
    uint8_t note;
    uint8_t phase;      /* voice_phase_t */
    uint8_t event;       /* in the last block: voice_event_t */
    uint8_t played;     /* and the preset that did it */
    bool is_fresh;      /* nothing was rendered since its decoder was reset */
    bool is_live;       /* what it sounds, or fades out, was heard and not played by keys */
    uint32_t released;  /* the player's count at its release: smaller is older */
    player_key_t next;  /* note that waits for the voice to fade */
    uint8_t next_phase; /* it begins held, or on the pedal; VOICE_IDLE: none waits */
    uint8_t next_preset;
} player_voice_t;

typedef struct {
    player_voice_t voices[PLAYER_N_VOICES];
    expression_controls_t controls;   /* smoothed */
    player_key_t keys[PLAYER_N_KEYS]; /* monophonic: held ones, the last on top */
    uint32_t keys_up;                 /* bit i: keys[i] is up and held by the pedal */
    uint8_t n_keys;
    bool is_mono;
    bool is_pedal_down;
    bool is_live;
    frame_t heard; /* that the next block follows, if it is live */
    bool has_portamento;
    uint8_t portamento_time;
    uint8_t program;
    uint8_t channel; /* to listen to, or PLAYER_ALL_CHANNELS, the default */
    uint8_t breath, volume, expression;
    uint16_t bend;          /* 0 to 16383, middle 8192 */
    uint16_t parameter;     /* RPN that data entry sets */
    uint8_t bend_semitones; /* range, at most 24 */
    uint8_t bend_cents;
    int32_t last_pitch; /* of the last note, Q16; below 0: there was none */
    uint32_t n_released;
    uint32_t n_stolen; /* notes cut off to make room */
} player_t;

/* Prepares a player: silent, first instrument, all channels, polyphonic if it has more than one voice. */
void player_init(player_t *player);

/* Takes a message; what it starts is heard from the next block on. */
void player_receive(player_t *player, const midi_message_t *message);

/* Lets the next block follow what was heard, any values, instead of the keys; NULL: the keys again. Whatever
 * sounds when that changes fades out within a block, and no key that is down then is remembered. */
void player_follow(player_t *player, const frame_t *heard);

/* Renders the next block of 64 samples; `samples` is aligned to 4 bytes. */
void player_render(player_t *player, int16_t samples[FM_BLOCK_SAMPLES]);

/* Ends all sound within a block and releases every key. */
void player_panic(player_t *player);

/* Number of voices that are not idle. */
int player_n_sounding(const player_t *player);

#endif
