#include "player/console.h"

#include <string.h>

#include "shared_constants.h"

#define NO_NUMBER (-10000) /* no argument was given, or none that can be read */
#define AUTO 10000

/* --- answers ---------------------------------------------------------------------------------------- */

static void put(console_t *console, const char *text) {
    for (; *text != '\0'; text++) {
        const size_t free_bytes = CONSOLE_OUT_BYTES - (console->n_written - console->n_sent);
        if (free_bytes == 0) {
            console->out[(console->n_written - 1) % CONSOLE_OUT_BYTES] = '~'; /* text is missing here */
            return;
        }
        console->out[console->n_written++ % CONSOLE_OUT_BYTES] = *text;
    }
}

static void put_number(console_t *console, uint32_t number) {
    char digits[11];
    char *text = digits + sizeof digits - 1;
    *text = '\0';
    do {
        *--text = (char)('0' + number % 10u);
        number /= 10u;
    } while (number != 0);
    put(console, text);
}

static void put_entry(console_t *console, const char *name, uint32_t number) {
    put(console, name);
    put(console, " ");
    put_number(console, number);
    put(console, "\r\n");
}

static void put_signed(console_t *console, int number) {
    put(console, number < 0 ? "-" : "");
    put_number(console, (uint32_t)(number < 0 ? -number : number));
}

/* Prints a line of a list, with an asterisk if it is the chosen one. */
static void put_choice(console_t *console, uint32_t number, const char *name, uint32_t chosen) {
    put(console, number == chosen ? "*" : " ");
    put_number(console, number);
    put(console, " ");
    put(console, name);
    put(console, "\r\n");
}

/* Prints cycles as a percentage with one decimal, in integers: floating point would be costly here. */
static void put_share(console_t *console, const char *name, uint32_t cycles, uint32_t all) {
    const uint32_t tenths = all > 0 ? (uint32_t)((uint64_t)cycles * 1000u / all) : 0;
    put(console, name);
    put(console, " ");
    put_number(console, tenths / 10u);
    put(console, ".");
    put_number(console, tenths % 10u);
    put(console, " %\r\n");
}

/* --- commands --------------------------------------------------------------------------------------- */

static void help(console_t *console, int number) {
    (void)number;
    put(console, "help stats clear notes program [0..] channel [0..16] multi [0..1] live [0..1] ");
    put(console, "gain [-80..80, auto] transpose [-24..24] tune [-100..100] velocity [0..3] ");
    put(console, "demo panic save defaults bootsel dfu\r\n");
}

static void stats(console_t *console, int number) {
    (void)number;
    const play_stats_t *const stats = console->stats;
    const console_counts_t *const cleared = &console->cleared;
    put_share(console, "load", stats->last_cycles, stats->block_cycles);
    put_share(console, "worst", stats->worst_cycles, stats->block_cycles);
    put_entry(console, "blocks", stats->n_blocks);
    put_entry(console, "underruns", stats->n_underruns);
    if (PLAYER_N_CORES > 1) {
        put_entry(console, "core 1 late", stats->n_core_late - cleared->n_core_late);
    }
    put_entry(console, "sounding", (uint32_t)player_n_sounding(console->player));
    put_entry(console, "stolen", console->player->n_stolen);
    put_entry(console, "midi lost", stats->n_midi_lost - cleared->n_midi_lost);
    put_entry(console, "midi errors", stats->n_midi_errors - cleared->n_midi_errors);
    if (console->live != NULL) {
        put_entry(console, "input lost", console->live->n_lost - cleared->n_input_lost);
    }
    put_entry(console, "stack", (uint32_t)stats->stack_bytes);
}

static void clear(console_t *console, int number) {
    (void)number;
    play_stats_t *const stats = console->stats;
    stats->worst_cycles = 0;
    stats->n_underruns = 0;
    console->player->n_stolen = 0;
    console->cleared = (console_counts_t){
        .n_core_late = stats->n_core_late,
        .n_midi_lost = stats->n_midi_lost,
        .n_midi_errors = stats->n_midi_errors,
        .n_input_lost = console->live != NULL ? console->live->n_lost : 0,
    };
    put(console, "cleared\r\n");
}

static const char *preset_name(const console_t *console, uint32_t preset) {
    return console->player->presets[preset].instrument->name;
}

static void notes(console_t *console, int number) {
    static const char *const phases[] = {"idle", "held", "pedal", "released", "live", "fading"};
    (void)number;
    for (uint32_t i = 0; i < PLAYER_N_VOICES; i++) {
        const player_voice_t *const voice = &console->player->voices[i];
        put_number(console, i);
        put(console, " ");
        put(console, phases[voice->phase]);
        if (voice->phase != VOICE_IDLE) {
            put(console, " ");
            put(console, preset_name(console, voice->preset));
            put(console, " ");
            put_number(console, voice->note);
        }
        put(console, "\r\n");
    }
}

static void program(console_t *console, int number) {
    if (number >= console->player->n_presets) {
        put_entry(console, "there is none; programs:", console->player->n_presets);
        return;
    }
    if (number >= 0) {
        player_set_program(console->player, (uint8_t)number);
    }
    for (uint32_t i = 0; i < console->player->n_presets; i++) {
        put_choice(console, i, preset_name(console, i), console->player->program);
    }
}

static void channel(console_t *console, int number) {
    player_t *const player = console->player;
    if (number > 16) {
        put(console, "give 1 to 16, or 0 for all but 10\r\n");
        return;
    }
    if (number >= 0) {
        player_panic(player); /* otherwise their note-offs would not be received */
        player->channel = number == 0 ? PLAYER_ALL_CHANNELS : (uint8_t)(number - 1);
    }
    put_entry(console, "channel", player->channel == PLAYER_ALL_CHANNELS ? 0 : player->channel + 1u);
}

static void multi(console_t *console, int number) {
    player_t *const player = console->player;
    if (number > 1) {
        put(console, "give 1 for a program per channel, or 0 for one of all\r\n");
        return;
    }
    if (number == 0) {
        player_set_program(player, player->program);
    }
    player->is_multi = number >= 0 ? number == 1 : player->is_multi;
    put_entry(console, "multi", player->is_multi);
    for (uint32_t i = 0; i < PLAYER_N_CHANNELS && player->is_multi; i++) {
        put(console, i > 0 ? " " : "");
        put_number(console, player->channels[i].program);
    }
    put(console, player->is_multi ? "\r\n" : "");
}

/* Prints and, if one was given, sets a number within +-limit. */
static void set_signed(console_t *console, const char *name, int8_t *value, int number, int limit) {
    if (number != NO_NUMBER && (number < -limit || number > limit)) {
        put(console, "give ");
        put_signed(console, -limit);
        put(console, " to ");
        put_signed(console, limit);
        put(console, "\r\n");
        return;
    }
    if (number != NO_NUMBER) {
        *value = (int8_t)number;
    }
    put(console, name);
    put(console, " ");
    put_signed(console, *value);
    put(console, "\r\n");
}

static void transpose(console_t *console, int number) {
    set_signed(console, "transpose", &console->player->transpose, number, PLAYER_MAX_TRANSPOSE);
}

static void tune(console_t *console, int number) {
    int8_t *const cents = &console->player->tuning_cents;
    set_signed(console, "tune", cents, number, PLAYER_MAX_TUNING_CENTS);
}

static void velocity(console_t *console, int number) {
    static const char *const curves[VELOCITY_N_CURVES] = {"linear", "soft", "hard", "fixed"};
    if (number >= VELOCITY_N_CURVES) {
        put_entry(console, "there is none; curves:", VELOCITY_N_CURVES);
        return;
    }
    if (number >= 0) {
        console->player->velocity_curve = (uint8_t)number;
    }
    for (uint32_t i = 0; i < VELOCITY_N_CURVES; i++) {
        put_choice(console, i, curves[i], console->player->velocity_curve);
    }
}

static void leave_live(console_t *console) {
    if (console->live != NULL) {
        console->live->is_on = false;
    }
}

static void live(console_t *console, int number) {
    live_t *const live = console->live;
    if (live == NULL) {
        put(console, "there is no input\r\n");
        return;
    }
    if (number > 1) {
        put(console, "give 1 to play by what comes in, or 0 for notes\r\n");
        return;
    }
    if (number >= 0) {
        console->phrase->is_playing = false;
        live->is_on = number == 1;
    }
    put_entry(console, "live", live->is_on);
    if (live->is_on && !live->has_input) {
        put(console, "no sound comes in\r\n");
    }
}

static void gain(console_t *console, int number) {
    live_t *const live = console->live;
    const int highest = (int)SHARED_MAX_GAIN_DB;
    if (live == NULL) {
        put(console, "there is no input\r\n");
        return;
    }
    if (number != NO_NUMBER && number != AUTO && (number < -highest || number > highest)) {
        put(console, "give -80 to 80 dB, or auto\r\n");
        return;
    }
    if (number != NO_NUMBER) {
        live->is_automatic = number == AUTO;
        live->gain_db = live->is_automatic ? 0 : number;
        live->is_gain_new = true;
    }
    put(console, live->is_automatic ? "gain auto, now " : "gain ");
    put_signed(console, live->gain_db);
    put(console, " dB\r\n");
}

static void demo(console_t *console, int number) {
    (void)number;
    leave_live(console);
    demo_phrase_start(console->phrase, console->player);
    put(console, "playing\r\n");
}

static void panic(console_t *console, int number) {
    (void)number;
    leave_live(console);
    console->phrase->is_playing = false;
    player_panic(console->player);
    put(console, "silent\r\n");
}

static void save(console_t *console, int number) {
    (void)number;
    console->request = CONSOLE_SAVE;
}

static void defaults(console_t *console, int number) {
    (void)number;
    console->phrase->is_playing = false;
    console->request = CONSOLE_SAVE_DEFAULTS;
}

static void start_loader(console_t *console, int number) {
    (void)number;
    console->request = CONSOLE_START_LOADER;
}

typedef enum { NOTHING, NUMBER, SIGNED, GAIN } argument_t;

static const struct {
    const char *name;
    void (*run)(console_t *console, int number); /* number: NO_NUMBER if none was given */
    argument_t argument;
} commands[] = {
    {"help", help, NOTHING},          {"stats", stats, NOTHING},
    {"clear", clear, NOTHING},        {"notes", notes, NOTHING},
    {"program", program, NUMBER},     {"channel", channel, NUMBER},
    {"live", live, NUMBER},           {"gain", gain, GAIN},
    {"demo", demo, NOTHING},          {"panic", panic, NOTHING},
    {"transpose", transpose, SIGNED}, {"tune", tune, SIGNED},
    {"velocity", velocity, NUMBER},   {"save", save, NOTHING},
    {"defaults", defaults, NOTHING},  {"bootsel", start_loader, NOTHING},
    {"multi", multi, NUMBER},         {"dfu", start_loader, NOTHING},
};

/* Parses up to four digits, with a sign if the argument has one, or "auto" for a gain; returns NO_NUMBER for
 * anything else. */
static int read_argument(const char *text, argument_t argument) {
    if (argument == GAIN && strcmp(text, "auto") == 0) {
        return AUTO;
    }
    const bool has_sign = argument == GAIN || argument == SIGNED;
    const bool is_negative = has_sign && text[0] == '-';
    text += is_negative || (has_sign && text[0] == '+');
    int number = 0;
    const size_t n_digits = strspn(text, "0123456789");
    if (argument == NOTHING || n_digits == 0 || n_digits > 4 || text[n_digits] != '\0') {
        return NO_NUMBER;
    }
    for (size_t i = 0; i < n_digits; i++) {
        number = 10 * number + (text[i] - '0');
    }
    return is_negative ? -number : number;
}

static void run_line(console_t *console) {
    char *const line = console->line;
    const size_t n_name = strcspn(line, " ");
    const bool has_argument = line[n_name] != '\0';
    line[n_name] = '\0';
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        const int number = has_argument ? read_argument(line + n_name + 1, commands[i].argument) : NO_NUMBER;
        if (strcmp(line, commands[i].name) == 0 && (!has_argument || number != NO_NUMBER)) {
            commands[i].run(console, number);
            return;
        }
    }
    put(console, "unknown: type help\r\n");
}

/* --- bytes ------------------------------------------------------------------------------------------ */

void console_init(console_t *console, player_t *player, demo_phrase_t *phrase, play_stats_t *stats,
                  live_t *live) {
    memset(console, 0, sizeof *console);
    console->player = player;
    console->phrase = phrase;
    console->stats = stats;
    console->live = live;
    put(console, "neural FM: type help\r\n");
}

void console_print(console_t *console, const char *text) { put(console, text); }

void console_receive(console_t *console, char byte) {
    if (byte == '\r' || byte == '\n') {
        if (console->n_line == CONSOLE_LINE_BYTES) {
            put(console, "too long: type help\r\n");
        } else if (console->n_line > 0) {
            console->line[console->n_line] = '\0';
            run_line(console);
        }
        console->n_line = 0;
    } else if (byte == '\b' || byte == 0x7F) {
        console->n_line -= console->n_line > 0 && console->n_line < CONSOLE_LINE_BYTES ? 1u : 0u;
    } else if (byte >= ' ' && byte <= '~' && console->n_line < CONSOLE_LINE_BYTES) {
        console->line[console->n_line++] = byte; /* run_line terminates it: a full line is refused above */
    }
}

const char *console_pending(const console_t *console, size_t *n_bytes) {
    const size_t start = console->n_sent % CONSOLE_OUT_BYTES;
    const size_t waiting = console->n_written - console->n_sent;
    const size_t to_the_end = CONSOLE_OUT_BYTES - start;
    *n_bytes = waiting < to_the_end ? waiting : to_the_end;
    return console->out + start;
}

void console_sent(console_t *console, size_t n_bytes) { console->n_sent += n_bytes; }
