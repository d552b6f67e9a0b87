"""Which notes of a channel sound, as far as keys and the sustain pedal say."""

from pipeline.audio.midi_files import CONTROL, NOTE_OFF, NOTE_ON, MidiEvent

PEDAL, ALL_SOUND_OFF, RESET_CONTROLLERS, ALL_NOTES_OFF, MONO, POLY = 64, 120, 121, 123, 126, 127


class HeldNotes:
    """The notes that are held on one channel.

    Attributes:
        down: Blocks in which the keys that are down were struck, by MIDI note.
        pedalled: MIDI notes that only the pedal holds.
    """

    def __init__(self) -> None:
        """Creates a channel on which nothing is held."""
        self.down: dict[int, int] = {}
        self.pedalled: set[int] = set()
        self._is_pedal_down = False

    def receive(self, event: MidiEvent) -> None:
        """Handles a message of the channel."""
        if event.begins_note:
            self.down[event.message[1]] = event.block
            self.pedalled.discard(event.message[1])
        elif event.kind in (NOTE_OFF, NOTE_ON):
            self._release([event.message[1]])
        elif event.kind == CONTROL:
            self._change(*event.message[1:])

    def ending(self, channel: int) -> list[bytes]:
        """Returns messages that end all notes, none if nothing is held."""
        if not (self.down or self.pedalled):
            return []
        return [bytes([CONTROL | channel - 1, number, 0]) for number in (PEDAL, ALL_NOTES_OFF)]

    def _change(self, number: int, value: int) -> None:
        if number in (PEDAL, RESET_CONTROLLERS):
            self._is_pedal_down = number == PEDAL and value >= 64
            if not self._is_pedal_down:
                self.pedalled.clear()
        elif number in (ALL_SOUND_OFF, MONO, POLY):
            self.down.clear()
            self.pedalled.clear()
        elif number >= ALL_NOTES_OFF:
            self._release(list(self.down))

    def _release(self, notes: list[int]) -> None:
        for note in notes:
            if note in self.down and self._is_pedal_down:
                self.pedalled.add(note)
            self.down.pop(note, None)
