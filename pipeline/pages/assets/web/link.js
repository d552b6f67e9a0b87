// The address of the page holds instrument and settings, so that a link or a reload restores them.
const CHOICES = ["program", "kind", "mode"]; // an instrument sets the mode, so the mode comes last
const SETTINGS = { volume: "input", glide: "input", reverb: "change", noise: "change" }; // controls and their events

function rememberSettings() {
  const chosen = (name) => document.querySelector(`[name=${name}]:checked`).value;
  const settings = new URLSearchParams(CHOICES.map((name) => [name, chosen(name)]));
  for (const id of Object.keys(SETTINGS)) {
    settings.set(id, $(id).type === "checkbox" ? Number($(id).checked) : $(id).value);
  }
  history.replaceState(null, "", `#${settings}`);
}

// Sets the controls as an address asks for, and lets them act; values that do not exist are ignored.
function restoreSettings(address) {
  const settings = new URLSearchParams(address.replace(/^#/, ""));
  for (const name of CHOICES) {
    const radio = [...document.querySelectorAll(`[name=${name}]`)].find(({ value }) => value === settings.get(name));
    if (radio && !radio.checked) {
      radio.checked = true;
      radio.dispatchEvent(new Event("change", { bubbles: true }));
    }
  }
  for (const [id, kind] of Object.entries(SETTINGS)) {
    if (!settings.has(id)) continue;
    if ($(id).type === "checkbox") $(id).checked = settings.get(id) === "1";
    else $(id).value = settings.get(id);
    $(id).dispatchEvent(new Event(kind, { bubbles: true }));
  }
}

restoreSettings(location.hash);
document.querySelector(".stage").addEventListener("change", rememberSettings);
