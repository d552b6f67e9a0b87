const UNKNOWN = { one: NaN, two: NaN };

// What the sound would cost on a board: the share of its processor's time for the voices that sound now.
//
// Voices of the same instrument are decoded in pairs, so the second of a pair costs less than the first. A board
// with two cores shares the voices between them; the busier one counts. NaN if the cost of a voice is not known.
function chipShare(chip, presets) {
  const counts = new Map();
  for (const preset of presets) counts.set(preset, (counts.get(preset) ?? 0) + 1);
  let share = chip.silent;
  for (const [preset, count] of counts) {
    const n = Math.ceil(count / chip.nCores), { one, two } = chip.voices[preset] ?? UNKNOWN;
    share += Math.floor(n / 2) * (two - chip.silent) + (n % 2) * (one - chip.silent);
  }
  return share;
}

class Costs {
  constructor(element, chips) {
    this.chips = chips.map((chip) => {
      const row = document.createElement("div");
      row.className = "chip";
      row.innerHTML = `<dt>${chip.title} <span>${chip.detail}</span></dt>
        <dd><meter min="0" max="1" high="0.8" optimum="0.2" aria-label="${chip.title}"></meter><output></output></dd>`;
      element.append(row);
      return { ...chip, meter: row.querySelector("meter"), output: row.querySelector("output") };
    });
  }

  // `presets` lists the instrument and model of each voice that sounds.
  show(presets) {
    for (const chip of this.chips) {
      const share = chipShare(chip, presets);
      chip.meter.value = Math.min(share || 0, 1);
      chip.output.parentElement.classList.toggle("over", !(share <= 1));
      chip.output.textContent = costText(share);
    }
  }
}

function costText(share) {
  if (Number.isNaN(share)) return "not known, or too large for this board";
  return share > 1 ? "too much for this board" : `${Math.round(100 * share)} %`;
}
