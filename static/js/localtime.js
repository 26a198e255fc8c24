/** <local-time> around a <time datetime>: the moment in the reader's own zone, short when it was lately. */

const DAY = 86_400_000;

/**
 * @param {Date} moment
 * @param {Date} now
 * @returns {string}
 */
export function shortTime(moment, now) {
  const time = moment.toLocaleTimeString([], { timeStyle: "short" });
  const midnight = new Date(now.getFullYear(), now.getMonth(), now.getDate()).getTime();
  if (moment.getTime() >= midnight) return time;
  if (moment.getTime() >= midnight - DAY) return `Yesterday ${time}`;
  const year = moment.getFullYear() === now.getFullYear() ? undefined : "numeric";
  return `${moment.toLocaleDateString([], { day: "numeric", month: "short", year })} ${time}`;
}

class LocalTime extends HTMLElement {
  connectedCallback() {
    const time = this.querySelector("time");
    const moment = new Date(time?.dateTime ?? "");
    if (!time || Number.isNaN(moment.getTime())) return;
    time.textContent = shortTime(moment, new Date());
    time.title = moment.toLocaleString();
  }
}

customElements.define("local-time", LocalTime);
