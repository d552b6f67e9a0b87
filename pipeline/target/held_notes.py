"""Which notes of a channel sound, as far as keys and pedals say."""

from pipeline.audio.midi_files import CONTROL, NOTE_OFF, NOTE_ON, MidiEvent

PEDAL, SOSTENUTO = 64, 66  # the sustain pedal, and the one that holds only what is down already
ALL_SOUND_OFF, RESET_CONTROLLERS, ALL_NOTES_OFF, MONO, POLY = 120, 121, 123, 126, 127
ENDING_ALL = (ALL_SOUND_OFF, ALL_NOTES_OFF, 124, 125)  # what changes nothing else on a player


class HeldNotes:
    """The notes that are held on one channel.

    Attributes:
        down: Blocks in which the keys that are down were struck, by MIDI note.
        pedalled: MIDI notes that only a pedal holds.
    """

    def __init__(self) -> None:
        """Creates a channel on which nothing is held."""
        self.down: dict[int, int] = {}
        self.pedalled: set[int] = set()
        self._is_pedal_down = False
        self._caught: set[int] | None = None  # what the sostenuto pedal holds while it is down

    def receive(self, event: MidiEvent) -> None:
        """Handles a message of the channel."""
        if event.begins_note:
            self.down[event.message[1]] = event.block
            self.pedalled.discard(event.message[1])
        elif event.kind in (NOTE_OFF, NOTE_ON):
            self._release([event.message[1]])
        elif event.kind == CONTROL:
            self._change(*event.message[1:])

    def holds(self, note: int) -> bool:
        """Returns whether a note sounds, by its key or by a pedal."""
        return note in self.down or note in self.pedalled

    def ending(self, channel: int) -> list[bytes]:
        """Returns messages that end all notes, none if nothing is held."""
        if not (self.down or self.pedalled):
            return []
        controllers = (PEDAL, SOSTENUTO, ALL_NOTES_OFF)
        return [bytes([CONTROL | channel - 1, number, 0]) for number in controllers]

    def _change(self, number: int, value: int) -> None:
        is_reset = number == RESET_CONTROLLERS
        is_down = value >= 64 and not is_reset
        if number == PEDAL or is_reset:
            self._is_pedal_down = is_down
        if number == SOSTENUTO or is_reset:
            caught = {*self.down, *self.pedalled} if self._caught is None else self._caught
            self._caught = caught if is_down else None
        if number in (PEDAL, SOSTENUTO) or is_reset:
            self.pedalled = {note for note in self.pedalled if self._is_held(note)}
        elif number in (ALL_SOUND_OFF, MONO, POLY):
            self.down.clear()
            self.pedalled.clear()
        elif number >= ALL_NOTES_OFF:
            self._release(list(self.down))

    def _release(self, notes: list[int]) -> None:
        for note in notes:
            if note in self.down and self._is_held(note):
                self.pedalled.add(note)
            self.down.pop(note, None)

    def _is_held(self, note: int) -> bool:
        """Whether a pedal holds a note whose key goes up."""
        return self._is_pedal_down or note in (self._caught or ())
