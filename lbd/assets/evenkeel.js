// Saves reloads; every page works without it.
"use strict";

// A request for confirmation before what ends connections or removes something.
document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-confirm]");
  if (button && !window.confirm(button.dataset.confirm)) {
    event.preventDefault();
    event.stopImmediatePropagation();
  }
}, true);

// A text field that can be filled from a file of the reader's own machine; nothing is sent by that.
for (const input of document.querySelectorAll("input[type=file][data-into]")) {
  input.closest("[hidden]")?.removeAttribute("hidden");
  input.addEventListener("change", async () => {
    const file = input.files[0];
    if (file) {
      document.getElementById(input.dataset.into).value = (await file.text()).slice(0, 65536);
    }
  });
}

// Paper is the browser's business.
for (const button of document.querySelectorAll("button[data-print]")) {
  button.hidden = false;
  button.addEventListener("click", () => window.print());
}

// The part of the page that changes by itself is fetched anew when the appliance says that something changed.
(() => {
  const live = () => document.getElementById("live");
  if (!live()) {
    return;
  }
  const LEAST_PAUSE = 250; // ms between two fetches
  const ANYWAY = 5000; // ms: times and counters go on without an event
  let source = null;
  let wanted = false;
  let busy = false;
  let last = 0;
  // Who logs out asks for nothing more: it would be refused.
  const left = new AbortController();

  const say = (text) => {
    const place = document.querySelector(".live-state");
    if (place && place.textContent !== text) {
      place.textContent = text;
    }
  };

  // What the reader chose: filter, order, which services are open.
  const choice = () => {
    const form = document.getElementById("view");
    return form ? "?" + new URLSearchParams(new FormData(form)) : "";
  };

  const refresh = async () => {
    if (left.signal.aborted) {
      return;
    }
    if (busy) {
      wanted = true;
      return;
    }
    busy = true;
    wanted = false;
    try {
      const asked = choice();
      const answer = await fetch(live().dataset.live + asked, {
        headers: { "HX-Request": "true", "Evenkeel-Unattended": "true" },
        signal: left.signal,
      });
      if (answer.status === 401 || answer.status === 403) {
        window.location.reload();
        return;
      }
      if (answer.ok) {
        const text = await answer.text();
        // Who chose something else meanwhile sees it already: an answer to the old choice would take it back.
        if (asked === choice()) {
          await htmx.swap({ target: live(), text, swap: "outerMorph" });
        } else {
          wanted = true;
        }
        say("The page follows by itself.");
      }
    } catch (error) {
      if (!left.signal.aborted) {
        say("The appliance does not answer; what is shown may be old.");
      }
    } finally {
      busy = false;
      last = Date.now();
    }
    if (wanted) {
      soon();
    }
  };

  let timer = null;
  const soon = () => {
    clearTimeout(timer);
    timer = setTimeout(refresh, Math.max(0, last + LEAST_PAUSE - Date.now()));
  };

  const listen = () => {
    if (source || document.hidden || left.signal.aborted) {
      return;
    }
    source = new EventSource(live().dataset.changes);
    source.onmessage = soon;
    source.onerror = () => {
      if (source && source.readyState === EventSource.CLOSED) {
        source = null;
      }
    };
  };

  document.querySelector(".leave")?.addEventListener("submit", () => {
    left.abort();
    source?.close();
    source = null;
  });
  // A page that nobody looks at keeps no connection.
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) {
      source?.close();
      source = null;
    } else {
      listen();
      soon();
    }
  });
  setInterval(() => {
    if (!document.hidden) {
      listen();
      soon();
    }
  }, ANYWAY);
  listen();
})();
