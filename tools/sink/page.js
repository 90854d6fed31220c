"use strict";

const INTERVAL_MS = 1000;
const POINTS = 120;
const ROWS = 200;
const rates = [];
let last = null;

const TOTALS = [
  ["requests", "Requests"], ["answered_2xx", "Answered 2xx"], ["duplicates", "Duplicate deliveries"],
  ["duplicates_after_success", "After a success", true], ["signatures_good", "Signatures good"],
  ["signatures_bad", "Signatures bad", true], ["unsigned", "Without signature"],
  ["malformed", "Malformed requests", true], ["missing", "Missing events", true],
  ["out_of_order", "Out of order", true], ["connections", "Connections"],
  ["handshakes_failed", "Handshakes failed"],
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

function pair(label, value, bad) {
  const made = document.createElement("div");
  made.append(element("dt", label), element("dd", value, bad));
  return made;
}

function counts(report) {
  const parts = [...Object.entries(report.statuses), ...Object.entries(report.faults)];
  return parts.map(([name, count]) => `${name}: ${shown(count)}`).join(", ");
}

function row(endpoint) {
  const made = document.createElement("tr");
  made.append(element("td", endpoint.name), element("td", endpoint.url));
  for (const [member, alarming] of [["requests"], ["answered_2xx"], ["duplicates"], ["duplicates_after_success", true],
                                    ["signatures_bad", true], ["missing", true], ["out_of_order", true]]) {
    made.append(element("td", shown(endpoint[member]), alarming && endpoint[member] > 0));
  }
  made.append(element("td", counts(endpoint)));
  return made;
}

function plot() {
  const top = Math.max(1, ...rates);
  const points = rates.map((rate, index) => `${(index + POINTS - rates.length) * 600 / (POINTS - 1)},${118 - rate / top * 112}`);
  document.getElementById("line").setAttribute("points", points.join(" "));
}

function show(report) {
  if (last !== null && report.seconds > last.seconds) {
    rates.push((report.requests - last.requests) / (report.seconds - last.seconds));
    if (rates.length > POINTS) rates.shift();
    document.getElementById("rate").textContent = shown(Math.round(rates[rates.length - 1]));
    plot();
  }
  last = report;
  const totals = TOTALS.map(([member, label, alarming]) => pair(label, shown(report[member]), alarming && report[member] > 0));
  totals.push(pair("CPU of the sink per request", `${shown(report.cpu.us_per_request)} µs`));
  document.getElementById("totals").replaceChildren(...totals);
  document.getElementById("endpoints").replaceChildren(...report.endpoints.slice(0, ROWS).map(row));
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
    tell(`running for ${shown(last.seconds)} s`, false);
  } catch (error) {
    tell(`the sink does not answer: ${error.message}`, true);
  }
  setTimeout(refresh, INTERVAL_MS);
}

refresh();
