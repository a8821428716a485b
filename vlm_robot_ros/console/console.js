"use strict";
// The cookie has the token now: neither the history nor a screenshot shall show it.
history.replaceState(null, "", location.pathname);
const at = id => document.getElementById(id);
let wire, shown, heard = 0, stopping = false;
function connect() {
  const scheme = location.protocol === "https:" ? "wss:" : "ws:";
  wire = new WebSocket(scheme + "//" + location.host + "/wire");
  wire.binaryType = "blob";
  wire.onopen = () => {
    at("lost").hidden = true; heard = Date.now();
    if (stopping) send({stop: true});
  };
  wire.onclose = () => {
    at("lost").hidden = false; at("lost").textContent = "connection lost; trying again";
    setTimeout(connect, 1000);
  };
  wire.onmessage = event => {
    heard = Date.now();
    if (typeof event.data !== "string") return show(event.data);
    const given = JSON.parse(event.data);
    if (given.problem) { stopping = false; at("lost").hidden = false; at("lost").textContent = given.problem; }
    if (given.state) tell(given.state);
  };
}
function send(what) {
  if (wire.readyState === WebSocket.OPEN) { wire.send(JSON.stringify(what)); return true; }
  at("lost").hidden = false; at("lost").textContent = "not sent: the connection is lost";
  return false;
}
function stop() { // said again until the node says that it has heard it
  stopping = true;
  if (!send({stop: true})) fetch("/stop", {method: "POST"}).catch(() => {});
}
setInterval(() => {
  if (heard && wire.readyState === WebSocket.OPEN && Date.now() - heard > 3000) wire.close();
}, 500);
function show(blob) {
  const address = URL.createObjectURL(blob);
  at("view").onload = () => { if (shown) URL.revokeObjectURL(shown); shown = address; };
  at("view").src = address;
}
function tell(state) {
  if (stopping && /stopped by/.test(state.hold)) stopping = false;
  at("reset").hidden = !/call ~\/reset/.test(state.hold);
  at("instruction").textContent = state.instruction;
  at("label").textContent = state.label ? state.label + " " + Math.round(100 * state.score) + " %" : "";
  at("score").style.width = 100 * (state.label ? state.score : 0) + "%";
  at("doing").textContent = state.silent ? "nothing is heard from the policy node" : state.acting ? state.step || "acting" : state.hold ? (state.proposes ? "asks: " : "holding: ") + state.hold : "";
  at("yes").hidden = !state.proposes;
  at("doing").className = state.acting ? "acting" : "holding";
  const t = state.latency_ms;
  at("latency").textContent = t ? `camera to action ${t.p50} / ${t.p95} / ${t.p99} ms (p50, p95, p99)` : "";
  at("seen").hidden = state.objects.length === 0;
  fill(at("objects"), state.objects, o => [["td", o.phrase], ["td", o.size],
    ["td", Math.round(100 * o.score) + " %"], ["td", o.problem || "takes it"]]);
  fill(at("faults"), state.faults, fault => [["li", fault.name + ": " + fault.text]]);
  fill(at("episodes"), state.episodes, e => [["td", e.at], ["td", e.instruction], ["td", e.label],
    ["td", e.success === true ? "done" : e.success === false ? "not done" : e.hold || (e.moved ? "moved" : "")]]);
}
function fill(parent, rows, cells) {
  parent.replaceChildren(...rows.map(row => {
    const made = cells(row).map(([kind, text]) => {
      const cell = document.createElement(kind); cell.textContent = text; return cell;
    });
    if (parent.tagName === "UL") return made[0];
    const line = document.createElement("tr"); line.replaceChildren(...made); return line;
  }));
}
at("yes").onclick = () => send({say: "yes"});
at("say").onsubmit = event => {
  event.preventDefault();
  const words = at("words").value.trim();
  if (words && send({say: words})) at("words").value = "";
};
at("stop").onclick = stop;
at("reset").onclick = () => send({reset: true});
document.addEventListener("keydown", event => { if (event.key === "Escape") stop(); });
at("good").onclick = () => send({success: true});
at("bad").onclick = () => send({success: false});
const Recognition = window.SpeechRecognition || window.webkitSpeechRecognition;
if (Recognition) {
  at("mic").onclick = () => {
    const ear = new Recognition();
    ear.lang = "en-US";
    ear.onresult = event => {
      at("words").value = event.results[0][0].transcript;
      at("say").requestSubmit();
    };
    ear.start();
  };
} else {
  at("mic").disabled = true; at("mic").title = "this browser has no speech recognition";
}
fetch("/reports").then(answer => answer.json()).then(given => {
  at("reports").hidden = !given.reports.length;
  for (const name of given.reports) {
    const link = document.createElement("a");
    link.href = "/reports/" + encodeURIComponent(name); link.textContent = name;
    at("reports").append(link, " ");
  }
});
connect();
