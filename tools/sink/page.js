"use strict";

const INTERVAL_MS = 1000;
const POINTS = 120;
const ROWS = 200;
const rates = [];
let last = null;

const always = () => true;
const lossKnown = (report) => report.expect > 0;
const orderKnown = (report) => report.ordered;
const verified = (report) => report.verifies;

// Member, label, whether more than 0 of it is bad, and in which reports it says anything.
const TOTALS = [
  ["requests", "Requests", false, always], ["answered_2xx", "Answered 2xx", false, always],
  ["duplicates", "Repeated deliveries", false, always],
  ["duplicates_after_success", "Repeated after success", true, always],
  ["signatures_good", "Signatures good", false, verified], ["signatures_bad", "Signatures bad", true, verified],
  ["unsigned", "Without signature", false, verified], ["missing", "Missing events", true, lossKnown],
  ["out_of_order", "Out of order", true, orderKnown], ["malformed", "Malformed requests", true, always],
  ["connections", "Connections", false, always], ["handshakes_failed", "Handshakes failed", false, always],
];
const COLUMNS = [
  ["requests", "Requests", false, always], ["answered_2xx", "2xx", false, always],
  ["duplicates", "Repeated", false, always], ["duplicates_after_success", "Repeated after success", true, always],
  ["signatures_bad", "Bad signatures", true, verified], ["missing", "Missing", true, lossKnown],
  ["out_of_order", "Out of order", true, orderKnown],
];

function element(name, text, bad) {
  const made = document.createElement(name);
  made.textContent = text;
  if (bad) made.className = "bad";
  return made;
}

function shown(number) {
  return number.toLocaleString("en-US", {maximumFractionDigits: 1});
}

function span(seconds) {
  if (seconds < 60) return `${Math.floor(seconds)} s`;
  const minutes = Math.floor(seconds / 60);
  return minutes < 60 ? `${minutes} min ${Math.floor(seconds % 60)} s` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

function pair(label, value, bad) {
  const made = document.createElement("div");
  made.append(element("dt", label), element("dd", value, bad));
  return made;
}

function told(list, report) {
  return list.filter(([, , , says]) => says(report));
}

function heads(report) {
  const made = ["Endpoint", "URL", ...told(COLUMNS, report).map(([, label]) => label), "Answers and faults"]
    .map((text) => element("th", text));
  for (const head of made) head.scope = "col";
  return made;
}

function counts(endpoint) {
  const parts = [...Object.entries(endpoint.statuses), ...Object.entries(endpoint.faults)];
  return parts.map(([name, count]) => `${name}: ${shown(count)}`).join(", ");
}

function row(endpoint, report) {
  const made = document.createElement("tr");
  made.append(element("td", endpoint.name), element("td", endpoint.url));
  for (const [member, , alarming] of told(COLUMNS, report)) {
    made.append(element("td", shown(endpoint[member]), alarming && endpoint[member] > 0));
  }
  const answers = element("td", counts(endpoint));
  if (endpoint.outage) answers.prepend(element("span", `outage: ${endpoint.outage} `, true));
  made.append(answers);
  return made;
}

function plot() {
  const top = Math.max(1, ...rates);
  const x = (index) => (index + POINTS - rates.length) * 600 / (POINTS - 1);
  const points = rates.map((rate, index) => `${x(index)},${118 - rate / top * 112}`);
  document.getElementById("line").setAttribute("points", points.join(" "));
  document.getElementById("area").setAttribute("points", [`${x(0)},120`, ...points, "600,120"].join(" "));
  document.getElementById("top").textContent = `highest: ${shown(Math.round(Math.max(...rates)))} per second`;
}

function show(report) {
  if (last !== null && report.seconds > last.seconds) {
    rates.push((report.requests - last.requests) / (report.seconds - last.seconds));
    if (rates.length > POINTS) rates.shift();
    document.getElementById("rate").textContent = shown(Math.round(rates[rates.length - 1]));
    plot();
  }
  last = report;
  const totals = told(TOTALS, report).map(
    ([member, label, alarming]) => pair(label, shown(report[member]), alarming && report[member] > 0));
  totals.push(pair("CPU of the sink per request", `${shown(report.cpu.us_per_request)} µs`));
  document.getElementById("totals").replaceChildren(...totals);
  document.getElementById("heads").replaceChildren(...heads(report));
  document.getElementById("endpoints").replaceChildren(...report.endpoints.slice(0, ROWS).map((one) => row(one, report)));
  const hidden = report.endpoints.length - ROWS;
  document.getElementById("more").textContent = hidden > 0 ? `and ${shown(hidden)} more; report.json has all` : "";
}

function tell(text, lost) {
  const state = document.getElementById("state");
  state.textContent = text;
  state.className = lost ? "lost" : "";
}

async function refresh() {
  try {
    const answer = await fetch("report.json");
    if (!answer.ok) throw new Error(`answered ${answer.status}`);
    show(await answer.json());
    tell(`running for ${span(last.seconds)}`, false);
  } catch (error) {
    tell(`the sink does not answer: ${error.message}`, true);
  }
  setTimeout(refresh, INTERVAL_MS);
}

refresh();
