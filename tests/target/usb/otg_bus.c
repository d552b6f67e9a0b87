/* bus.h with the driver of the STM32 boards above a model of their controller (otg_model.h). */
#include "usb/usb_device.h"

#define usb_device_setup bus_device_setup /* bus_answer_bytes replaces what the device answers */
#define board_usb bus_device
void bus_device_setup(usb_device_t *usb, const uint8_t setup[USB_SETUP_BYTES]);
#include "boards/ports/stm32/usb.c"
#undef usb_device_setup

#include <stdlib.h>

#include "otg_model.h"

usb_device_t bus_device;
size_t bus_answer_bytes;

static bool is_held;
static uint32_t priorities, enabled, others;

static void check(bool is_true) {
    if (!is_true) {
        abort();
    }
}

volatile uint32_t *fake_register(uintptr_t address) {
    return address == 0xE000E400u + CHIP_OTG_IRQ / 4u * 4u    ? &priorities
           : address == 0xE000E100u + CHIP_OTG_IRQ / 32u * 4u ? &enabled
                                                              : &others;
}

bool clocks_start_usb(void) { return true; }

void board_wake(void) {}

void bus_device_setup(usb_device_t *usb, const uint8_t bytes[USB_SETUP_BYTES]) {
    static uint8_t answer[1024];
    if (bus_answer_bytes == 0) {
        usb_device_setup(usb, bytes);
        return;
    }
    for (size_t i = 0; i < sizeof answer; i++) {
        answer[i] = (uint8_t)i;
    }
    usb_control_begin(&usb->control, bytes);
    usb_control_accept(&usb->control, answer, bus_answer_bytes);
}

static void run_interrupts(void) {
    for (int n = 0; !is_held && model_requests_interrupt(); n++) {
        check(n < 10 && enabled == 1u << CHIP_OTG_IRQ % 32u);
        usb_interrupt();
    }
}

void bus_hold(bool is_to_hold) {
    is_held = is_to_hold;
    run_interrupts();
}

void bus_start(void) {
    is_held = false;
    bus_answer_bytes = 0;
    model_start();
    usb_start();
    check(model_is_attached());
    check(priorities >> (8u * (CHIP_OTG_IRQ % 4u) + 4u) > AUDIO_PRIORITY);
    bus_reset();
}

void bus_reset(void) {
    model_reset();
    run_interrupts();
    if (!is_held) {
        model_end_reset();
        run_interrupts();
    }
}

void bus_suspend(void) {
    model_suspend();
    run_interrupts();
}

handshake_t bus_setup(uint8_t address, const uint8_t setup_bytes[USB_SETUP_BYTES]) {
    const handshake_t handshake = model_setup(address, setup_bytes);
    run_interrupts();
    return handshake;
}

static void begin_stage(uint8_t address, uint8_t number) {
    model_end_setup(address, number);
    run_interrupts();
}

handshake_t bus_in(uint8_t address, uint8_t number, uint8_t bytes[USB_PACKET_BYTES], size_t *n_bytes,
                   uint8_t *pid) {
    begin_stage(address, number);
    const handshake_t handshake = model_in(address, number, bytes, n_bytes, pid);
    run_interrupts();
    return handshake;
}

handshake_t bus_out(uint8_t address, uint8_t number, const uint8_t *bytes, size_t n_bytes, uint8_t pid) {
    begin_stage(address, number);
    const handshake_t handshake = model_out(address, number, bytes, n_bytes, pid);
    run_interrupts();
    model_end_out();
    run_interrupts();
    return handshake;
}
