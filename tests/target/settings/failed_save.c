/* Saves a volume, fails to save another one because the power of the flash has failed, and prints after each
 * whether the save succeeded, and the volume after a System Reset. */
#include <stdio.h>

#include "flash_model.h"
#include "settings/settings.h"

static player_t player;

static void save_volume(uint8_t volume) {
    const midi_message_t message = {MIDI_CONTROL_CHANGE, 0, {7, volume}};
    player_receive(&player, &message);
    printf("%d", settings_save(&player, NULL));
    player_reset(&player);
    printf(" %d\n", player.channels[0].volume);
}

int main(void) {
    flash_init((flash_kind_t){.sector_bytes = 256, .unit_bytes = 4}, 1);
    player_init(&player);
    settings_load(&player, NULL);
    save_volume(40);
    flash_cut_at(0);
    save_volume(0);
    return 0;
}
