// Plays a score or a sound with the module of the instrument page, as its worklet does:
//
//     node play_module.mjs ASSETS MODULE RATE REVERB NOISE SCORE SOUND GAIN_DB PCM
//
// SCORE: records as for apps/perform. SOUND: int16 at 16 kHz, followed live with the input gain GAIN_DB, or
// "auto". One of the two is "-". PCM: what was played, as many blocks as the score or the sound has.
import { readFileSync, writeFileSync } from "node:fs";

const [assets, module, rate, reverb, noise, scoreFile, soundFile, gain, pcmFile] = process.argv.slice(2);
const code = ["view.js", "synth.js"].map((name) => readFileSync(`${assets}/${name}`, "utf8"));
const Synth = new Function(`${code.join("\n")}; return Synth;`)();
const synth = new Synth(readFileSync(module), Number(rate));
synth.exports.web_set_reverb(Number(reverb));
synth.exports.web_set_noise(Number(noise));
const imports = WebAssembly.Module.imports(new WebAssembly.Module(readFileSync(module)));
if (imports.length) throw new Error(`the module imports ${JSON.stringify(imports)}`);

const score = scoreFile === "-" ? Buffer.alloc(0) : readFileSync(scoreFile);
const sound = soundFile === "-" ? Buffer.alloc(0) : readFileSync(soundFile);
let nBlocks = Math.floor(sound.length / 128), next = 0;
if (score.length) nBlocks = score.readUInt32LE(score.length - 8) + 1;
if (sound.length) {
  synth.exports.web_set_live(1, 1);
  synth.exports.web_set_gain(gain === "auto" ? 1 : 0, Number(gain) || 0);
}
const played = Buffer.alloc(nBlocks * synth.output.byteLength);
for (let block = 0; block < nBlocks; block++) {
  for (; next < score.length && score.readUInt32LE(next) <= block; next += 8) {
    synth.receive(score.subarray(next + 5, next + 5 + score[next + 4]));
  }
  for (let i = 0; i < 64 && sound.length; i++) synth.input[i] = sound.readInt16LE(2 * (64 * block + i));
  synth.render();
  const { buffer, byteOffset, byteLength } = synth.output;
  played.set(new Uint8Array(buffer, byteOffset, byteLength), block * byteLength);
}
writeFileSync(pcmFile, played);
