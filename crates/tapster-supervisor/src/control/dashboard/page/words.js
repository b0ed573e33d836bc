// Numbers as people read them.

export function count(number) {
  if (number === null || number === undefined) return "–";
  if (number >= 100) return Math.round(number).toLocaleString("en");
  return number >= 10 || Number.isInteger(number) ? String(Math.round(number * 10) / 10) : number.toFixed(1);
}

export function milliseconds(number) {
  if (number === null || number === undefined) return "–";
  if (number >= 10000) return `${Math.round(number / 1000)} s`;
  if (number >= 1000) return `${(number / 1000).toFixed(1)} s`;
  return `${number >= 10 ? Math.round(number) : number.toFixed(number >= 1 ? 1 : 2)} ms`;
}

export function mebibytes(number) {
  if (number === null || number === undefined) return "–";
  return number >= 10240 ? `${(number / 1024).toFixed(1)} GiB` : `${Math.round(number)} MiB`;
}

export const percent = (number) => (number === null || number === undefined ? "–" : `${Math.round(number)} %`);

export const plural = (number, noun) => `${number} ${noun}${number === 1 ? "" : "s"}`;

// In its two largest units.
export function duration(seconds) {
  const whole = Math.floor(seconds);
  const [days, hours, minutes] = [Math.floor(whole / 86400), Math.floor(whole / 3600) % 24, Math.floor(whole / 60) % 60];
  if (days) return `${days} d ${hours} h`;
  if (hours) return `${hours} h ${minutes} min`;
  if (minutes) return `${minutes} min ${whole % 60} s`;
  return seconds < 10 ? `${seconds.toFixed(1)} s` : `${whole} s`;
}

const CLOCK = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const DAY = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short" });

export function clock(seconds) {
  const time = new Date(seconds * 1000);
  const today = DAY.format(time) === DAY.format(new Date());
  return today ? CLOCK.format(time) : `${DAY.format(time)} ${CLOCK.format(time)}`;
}
