/* Each step is an interrupt of the timer, a millisecond after the one before: polls until the bus reset is
 * over, and then forces idle; the last step restores everything. So nothing waits. The device is ready 2 ms
 * after the reset, or a little later if interrupts of higher priority delay the steps; the host begins after
 * 10 ms (USB 2.0, section 7.1.7.5, TRSTRCY). Two polls per block of sound, 4 ms apart, would come close to
 * that, and a bus that is idle for 3 ms is suspended.
 *
 * Idle is forced even if the controller reports that it is connected, which may date from before the reset.
 * It ends after a millisecond in any case, because a further reset is not seen before.
 *
 * Source: RP2040 datasheet, erratum RP2040-E5, and sections 2.19 (GPIO 15), 4.1 and 4.6.
 */
#include "usb_e5.h"

#ifdef CHIP_REVISION_B2

#include <stdbool.h>

#include "clocks.h"

#define PIN_DP 15u /* the only one that the input of the controller can be connected to */
#define STEP_US 1000u

static bool is_needed, is_forced;
static uint32_t pin_control, pin_pad; /* while is_forced: what they were */

void usb_e5_start(void) {
    is_needed = clocks_release(RESET_SYSINFO) &&
                REGISTER(SYSINFO_CHIP_ID) >> CHIP_ID_REVISION < CHIP_REVISION_B2 &&
                clocks_release(RESET_TIMER);
    if (is_needed) {
        REGISTER(TIMER_TICK) = WATCHDOG_TICK_ENABLE | clocks_reference_hz() / 1000000u;
        REGISTER(TIMER_INTE) = TIMER_ALARM_0;
        REGISTER(NVIC_IPR(IRQ_TIMER_0)) |= 0xC0u << 8u * (IRQ_TIMER_0 % 4u); /* as the controller's */
        REGISTER(NVIC_ISER(IRQ_TIMER_0)) = 1u << IRQ_TIMER_0 % 32u;
    }
}

/* DP at 1 is the idle state of full speed, J: DM reads as 0, because no pin has that function. The host still
 * sees the pull-up, which is overridden, too. The pin keeps its level by both pulls. */
static void force_idle(void) {
    pin_control = REGISTER(IO_BANK0_CTRL(PIN_DP));
    pin_pad = REGISTER(PADS_BANK0_GPIO(PIN_DP));
    REGISTER(PADS_BANK0_GPIO(PIN_DP)) = pin_pad | PAD_PULLED_UP | PAD_PULLED_DOWN;
    REGISTER(IO_BANK0_CTRL(PIN_DP)) = PIN_INPUT_HIGH | PIN_OUTPUT_OFF | PIN_FUNCTION_USB_DP;
    REGISTER(USB_PHY_DIRECT) = USB_PHY_DP_PULLUP_EN;
    REGISTER(USB_PHY_DIRECT_OVERRIDE) = USB_PHY_DP_PULLUP_EN_OVERRIDE_EN;
    REGISTER(USB_MUXING) = USB_MUXING_TO_DIGITAL_PAD | USB_MUXING_SOFTCON;
    is_forced = true;
}

static void restore(void) {
    REGISTER(USB_MUXING) = USB_MUXING_TO_PHY | USB_MUXING_SOFTCON;
    REGISTER(USB_PHY_DIRECT_OVERRIDE) = 0;
    REGISTER(USB_PHY_DIRECT) = 0;
    REGISTER(IO_BANK0_CTRL(PIN_DP)) = pin_control;
    REGISTER(PADS_BANK0_GPIO(PIN_DP)) = pin_pad;
    is_forced = false;
}

static void schedule(void) { REGISTER(TIMER_ALARM0) = REGISTER(TIMER_RAW_LOW) + STEP_US; }

void usb_e5_begin(void) {
    if (is_forced) { /* by a handler that ran late: the reset was there before */
        restore();
    }
    if (is_needed) {
        schedule();
    }
}

void usb_e5_interrupt(void) {
    REGISTER(TIMER_INTR) = TIMER_ALARM_0;
    if (is_forced) {
        restore();
        return;
    }
    if ((REGISTER(USB_SIE_STATUS) & USB_SIE_STATUS_LINE_STATE) != 0) { /* not SE0 */
        force_idle();
    }
    schedule();
}

#endif
