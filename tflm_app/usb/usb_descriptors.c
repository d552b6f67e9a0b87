#include "usb/usb_descriptors.h"

#include "usb/usb_port.h"

/* 9.4, table 9-5 and the ECN; CS_ are the class-specific ones of the audio class 1.0, table A-4 */
enum { DEVICE = 1, CONFIGURATION = 2, STRING = 3, INTERFACE = 4, ENDPOINT = 5, ASSOCIATION = 11 };
enum { CS_INTERFACE = 0x24, CS_ENDPOINT = 0x25 };

/* Classes with the subclasses used here */
enum { CLASS_AUDIO = 1, AUDIO_CONTROL = 1, MIDI_STREAMING = 3 };
enum { CLASS_COMMUNICATION = 2, ABSTRACT_CONTROL = 2, CLASS_DATA = 10 };
enum { CLASS_MISCELLANEOUS = 0xEF, COMMON_CLASS = 2, ASSOCIATION_PROTOCOL = 1 };

#define WORD(value) (uint8_t)((value)&0xFF), (uint8_t)((value) >> 8)

static const uint8_t device[] = {
    18, DEVICE, WORD(0x0200), /* USB 2.0 */
    CLASS_MISCELLANEOUS, COMMON_CLASS, ASSOCIATION_PROTOCOL, USB_PACKET_BYTES,
    /* The test ids of pid.codes, which nobody may sell a product with. */
    WORD(0x1209), WORD(0x0001), WORD(0x0100), /* release of the device */
    1, 2, 0,                                  /* strings: manufacturer, product; no serial number */
    1,                                        /* configuration */
};

/* The jacks of the MIDI function, each embedded one (a cable) connected with an external one (the player) */
enum { JACK_FROM_HOST = 1, JACK_OF_PLAYER_OUT = 2, JACK_TO_HOST = 3, JACK_OF_PLAYER_IN = 4 };
enum { EMBEDDED = 1, EXTERNAL = 2 };

#define CONSOLE_BYTES (8 + 9 + 5 + 5 + 4 + 5 + 7 + 9 + 7 + 7)
#define MIDI_HEADER_BYTES (7 + 6 + 6 + 9 + 9 + 9 + 5 + 9 + 5) /* with all that belongs to MIDI streaming */
#define MIDI_BYTES (8 + 9 + 9 + 9 + MIDI_HEADER_BYTES)

/* clang-format off */
static const uint8_t configuration[] = {
    9, CONFIGURATION, WORD(9 + CONSOLE_BYTES + MIDI_BYTES), USB_N_INTERFACES, 1, 0,
    0x80, 50,                 /* powered by the bus, no remote wakeup; 100 mA */

    8, ASSOCIATION, USB_CONSOLE_CONTROL, 2, CLASS_COMMUNICATION, ABSTRACT_CONTROL, 0, 0,
    9, INTERFACE, USB_CONSOLE_CONTROL, 0, 1, CLASS_COMMUNICATION, ABSTRACT_CONTROL, 0, 0,
    5, CS_INTERFACE, 0x00, WORD(0x0120),                                  /* header: CDC 1.2 */
    5, CS_INTERFACE, 0x01, 0, USB_CONSOLE_DATA,                           /* call management: none */
    4, CS_INTERFACE, 0x02, 0x02,                                          /* ACM: line coding and state */
    5, CS_INTERFACE, 0x06, USB_CONSOLE_CONTROL, USB_CONSOLE_DATA,         /* union */
    7, ENDPOINT, USB_CONSOLE_NOTIFY, USB_INTERRUPT, WORD(16), 255,        /* which is never used */
    9, INTERFACE, USB_CONSOLE_DATA, 0, 2, CLASS_DATA, 0, 0, 0,
    7, ENDPOINT, USB_CONSOLE_OUT, USB_BULK, WORD(USB_PACKET_BYTES), 0,
    7, ENDPOINT, USB_CONSOLE_IN, USB_BULK, WORD(USB_PACKET_BYTES), 0,

    8, ASSOCIATION, USB_MIDI_CONTROL, 2, CLASS_AUDIO, AUDIO_CONTROL, 0, 0,
    9, INTERFACE, USB_MIDI_CONTROL, 0, 0, CLASS_AUDIO, AUDIO_CONTROL, 0, 0,
    9, CS_INTERFACE, 0x01, WORD(0x0100), WORD(9), 1, USB_MIDI_STREAMING,  /* header: audio 1.0 */
    9, INTERFACE, USB_MIDI_STREAMING, 0, 2, CLASS_AUDIO, MIDI_STREAMING, 0, 0,
    7, CS_INTERFACE, 0x01, WORD(0x0100), WORD(MIDI_HEADER_BYTES),         /* header: MIDI streaming 1.0 */
    6, CS_INTERFACE, 0x02, EMBEDDED, JACK_FROM_HOST, 0,                   /* MIDI IN jacks */
    6, CS_INTERFACE, 0x02, EXTERNAL, JACK_OF_PLAYER_OUT, 0,
    9, CS_INTERFACE, 0x03, EMBEDDED, JACK_TO_HOST, 1, JACK_OF_PLAYER_OUT, 1, 0, /* MIDI OUT jacks: source, pin */
    9, CS_INTERFACE, 0x03, EXTERNAL, JACK_OF_PLAYER_IN, 1, JACK_FROM_HOST, 1, 0,
    9, ENDPOINT, USB_MIDI_OUT, USB_BULK, WORD(USB_PACKET_BYTES), 0, 0, 0,
    5, CS_ENDPOINT, 0x01, 1, JACK_FROM_HOST,
    9, ENDPOINT, USB_MIDI_IN, USB_BULK, WORD(USB_PACKET_BYTES), 0, 0, 0,
    5, CS_ENDPOINT, 0x01, 1, JACK_TO_HOST,
};
/* clang-format on */

_Static_assert(sizeof configuration == 9 + CONSOLE_BYTES + MIDI_BYTES, "wTotalLength");

#define LANGUAGE 0x0409 /* English, United States */

static const char *const strings[] = {"neural FM",
                                      "neural FM player"}; /* from index 1; at most 31 characters */

const uint8_t *usb_descriptor_find(uint8_t type, uint8_t index, uint8_t *buffer, size_t *n_bytes) {
    if (type == DEVICE && index == 0) {
        *n_bytes = sizeof device;
        return device;
    }
    if (type == CONFIGURATION && index == 0) {
        *n_bytes = sizeof configuration;
        return configuration;
    }
    if (type != STRING || index > sizeof strings / sizeof strings[0]) {
        return NULL;
    }
    size_t n = 2;
    if (index == 0) {
        const uint8_t language[] = {WORD(LANGUAGE)};
        buffer[n++] = language[0];
        buffer[n++] = language[1];
    } else {
        for (const char *text = strings[index - 1]; *text != '\0'; text++) {
            buffer[n++] = (uint8_t)*text;
            buffer[n++] = 0;
        }
    }
    buffer[0] = (uint8_t)n;
    buffer[1] = STRING;
    *n_bytes = n;
    return buffer;
}
