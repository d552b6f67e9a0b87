// Plays one player at a time, and marks its position on every track.
const root = document.documentElement.style, players = [...document.querySelectorAll("audio")];
for (const player of players) {
  const draw = () => {
    root.setProperty("--now", player.currentTime / player.duration || 0);
    if (!player.paused) requestAnimationFrame(draw);
  };
  player.addEventListener("play", () => {
    players.forEach((other) => other !== player && other.pause());
    root.setProperty("--playing", 1);
    draw();
  });
  player.addEventListener("seeked", draw);
  player.addEventListener("ended", () => root.setProperty("--playing", 0));
}
