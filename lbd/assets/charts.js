// Charts that can be looked into: values under the pointer, and a part of the time by dragging. The drawing that is in the
// page already stays where this does not run.
"use strict";

(() => {
  const HEIGHT = 230; // pixels
  const WHOLE = [...Array(10).keys()].flatMap((power) => [1, 2, 5].map((digit) => digit * 10 ** power)); // levels
  const DASHES = [[], [7, 4], [2, 3]]; // as in the style sheet

  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const colours = () => ["--accent", "--degraded", "--up"].map(colour);
  const two = (number) => String(number).padStart(2, "0");

  // In the zone of the appliance, as everywhere on the pages: a date whose local fields are those of the zone.
  const local = (seconds, zone) => uPlot.tzDate(new Date(seconds * 1000), zone);
  const moment = (seconds, zone) => {
    const time = local(seconds, zone);
    return `${time.getFullYear()}-${two(time.getMonth() + 1)}-${two(time.getDate())} `
      + `${two(time.getHours())}:${two(time.getMinutes())}:${two(time.getSeconds())}`;
  };

  const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
  // As the drawing has them: what is on the axis depends on how long a time is shown.
  const labels = (chart) => (self, times) => {
    const span = self.scales.x.max - self.scales.x.min;
    return times.map((seconds) => {
      const time = local(seconds, chart.zone);
      const clock = `${two(time.getHours())}:${two(time.getMinutes())}`;
      const day = `${MONTHS[time.getMonth()]} ${time.getDate()}`;
      if (span < 600) {
        return `${clock}:${two(time.getSeconds())}`;
      }
      return span < 90000 ? clock : span < 300000 ? `${day} ${clock}` : day;
    });
  };

  const number = (value) => {
    if (value === null || value === undefined) {
      return "not known";
    }
    const size = Math.abs(value);
    const digits = size >= 100 ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : 3;
    return String(Number(value.toFixed(digits)));
  };

  const options = (chart, readout, width) => {
    const [ink, line] = [colour("--faint"), colour("--line")];
    const axis = { stroke: ink, grid: { stroke: line, width: 1 }, ticks: { stroke: line, width: 1 } };
    const series = chart.lines.map((one, index) => ({
      label: one.title, stroke: colours()[index], width: 1.75, dash: DASHES[index], spanGaps: false,
      points: { show: chart.times.length < 12 },
    }));
    return {
      width, height: HEIGHT, tzDate: (seconds) => local(seconds, chart.zone),
      legend: { show: false },
      cursor: { y: false, points: { size: 6 } },
      scales: { x: { time: true }, y: { range: (self, least, peak) => [0, chart.top ?? Math.max(peak || 0, 1e-3) * 1.05] } },
      axes: [
        { ...axis, space: 90, values: labels(chart) },
        { ...axis, size: 62, ...(chart.whole ? { incrs: WHOLE } : {}), values: (self, levels) => levels.map((level) => (level === null ? "" : number(level))) },
      ],
      series: [{}, ...series],
      hooks: {
        setCursor: [(self) => {
          const at = self.cursor.idx;
          if (at === null || at === undefined) {
            readout.textContent = "Point at the chart for values; drag to look closer, double-click for all.";
            return;
          }
          const values = chart.lines.map((one) =>
            `${one.title} ${number(one.means[at])} ${chart.unit} (peak ${number(one.peaks[at])} ${chart.unit})`);
          readout.textContent = `${moment(chart.times[at], chart.zone)}: ${values.join("; ")}`;
        }],
      },
    };
  };

  const draw = (place) => {
    const chart = JSON.parse(place.dataset.chart);
    const readout = place.parentElement.querySelector(".readout");
    const data = [chart.times, ...chart.lines.map((one) => one.means)];
    const box = document.createElement("div");
    // The drawing's words stand in the table below as well.
    box.setAttribute("role", "img");
    box.setAttribute("aria-label", place.querySelector("svg").getAttribute("aria-label"));
    place.querySelector("svg").remove();
    place.append(box);
    readout.hidden = false;
    readout.textContent = "Point at the chart for values; drag to look closer, double-click for all.";
    let plot = null;
    const anew = () => {
      plot?.destroy();
      plot = new uPlot(options(chart, readout, place.clientWidth), data, box);
    };
    anew();
    new ResizeObserver(() => {
      if (place.clientWidth > 0 && place.clientWidth !== plot.width) {
        plot.setSize({ width: place.clientWidth, height: HEIGHT });
      }
    }).observe(place);
    // Colours follow the system's when nobody has chosen others.
    window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", anew);
  };

  if (window.uPlot) {
    document.querySelectorAll(".plot[data-chart]").forEach(draw);
  }
})();
