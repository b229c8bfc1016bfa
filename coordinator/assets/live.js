// Keeps the page fresh: server-sent events tell what changed, and the page is asked for again and put in place of the
// old one, element by element, so that focus, scrolling and drawings stay.
"use strict";
(() => {
  const page = () => document.getElementById("page");
  const link = document.getElementById("link"), lost = document.getElementById("lost");
  // A form never changes while it is filled in.
  const changes = page().dataset.version !== "";
  const QUIET = 60000, TRY_AGAIN = 3000;
  let asked = 0, under_way = null, again = false, trying_again = null, refreshed = Date.now();

  const keep = (old, fresh) => {
    if (old.nodeType !== 1 || !old.dataset || !old.dataset.keep || !fresh.dataset) return true;
    for (const name in fresh.dataset) old.dataset[name] = fresh.dataset[name];
    return false;
  };
  const callbacks = {
    beforeNodeMorphed: (old, fresh) => keep(old, fresh),
    // A notice is sent once, and stays until another page is opened.
    beforeAttributeUpdated: (name, node) => !(name === "class" && node.classList.contains("gone")) && !(name === "checked" && node.name === "shards"),
    beforeNodeRemoved: (old) => !(old.nodeType === 1 && old.dataset && old.dataset.keep === "once"),
  };
  // A picture that cannot be had is an empty place and no broken sign.
  const gone = (image) => { if (image.tagName === "IMG") image.classList.add("gone"); };
  document.addEventListener("error", (event) => { if (event.target.tagName) gone(event.target); }, true);
  for (const image of document.images) if (image.complete && image.naturalWidth === 0 && image.src) gone(image);
  const put = (fresh, next) => {
    document.title = fresh.title;
    Idiomorph.morph(page(), next, { ignoreActiveValue: true, callbacks });
    refreshed = Date.now();
    document.dispatchEvent(new Event("refreshed"));
  };
  // A page that waits for what is not there yet may be another one of its kind. Nothing else takes the place of a page
  // that shows something: neither the troubles of a server that has just begun, nor what a proxy says for it.
  const is_ours = (answer, next) => next && next.dataset.version !== undefined && (answer.ok || page().dataset.version === "0-0");
  const get = async (address) => {
    const number = ++asked;
    const answer = await fetch(address, { headers: { Accept: "text/html", "X-Synth2real-Live": "1" }, credentials: "same-origin" });
    if (answer.redirected && new URL(answer.url).pathname === "/login") return location.reload();
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html"), next = fresh.getElementById("page");
    if (!is_ours(answer, next)) throw new Error(`no page of ours: ${answer.status}`);
    // What is there at last may need scripts that the page which waited for it does not have.
    if (page().dataset.version === "0-0" && next.dataset.version !== "0-0") return location.reload();
    if (number === asked) put(fresh, next);
  };
  const refresh = () => {
    if (document.hidden || under_way) { again = true; return; }
    again = false;
    clearTimeout(trying_again);
    under_way = get(location.href)
      .then(() => { if (events && events.readyState === EventSource.OPEN) say(true); })
      .catch(() => { say(false); trying_again = setTimeout(refresh, TRY_AGAIN); })
      .finally(() => { under_way = null; if (again) setTimeout(refresh, 250); });
  };

  // The run that this page shows; none for pages of all runs.
  const run = () => (/^\/runs\/([^/]+)/.exec(location.pathname) || [])[1];
  const concerns = (news) => {
    if (news.health) return true;
    if (run()) return news.runs.includes(run());
    return location.pathname === "/workers" ? news.fleet : news.runs.length > 0;
  };
  const say = (live) => {
    link.hidden = false;
    link.classList.toggle("off", !live);
    link.textContent = live ? "Live" : "Offline";
    lost.hidden = live;
  };
  let events = null, trying = 0;
  const listen = () => {
    if (!changes || events || document.hidden) return;
    events = new EventSource("/events?since=" + encodeURIComponent(page().dataset.version));
    events.onopen = () => { trying = 0; say(true); };
    events.onmessage = (event) => { if (concerns(JSON.parse(event.data))) refresh(); };
    events.onerror = () => {
      if (trying++ > 0 || events.readyState === EventSource.CLOSED) say(false);
      // Browsers give up after some answers; this does not.
      if (events.readyState === EventSource.CLOSED) { events = null; setTimeout(() => { refresh(); listen(); }, TRY_AGAIN); }
    };
  };
  // Browsers open few connections to a server: only a page that is visible holds one.
  const rest = () => { if (events) { events.close(); events = null; } };
  const wake = () => { if (document.hidden) { rest(); return; } if (changes && !events) refresh(); listen(); };
  addEventListener("pagehide", rest);
  addEventListener("pageshow", (event) => { if (event.persisted) wake(); });
  document.addEventListener("visibilitychange", wake);
  listen();

  // Filters and pages of lists come without a new page.
  const go = (address, push) => {
    if (push) history.pushState({ soft: true }, "", address);
    return get(address).catch(() => location.assign(address));
  };
  document.addEventListener("click", (event) => {
    const target = event.target.closest("a[data-soft]");
    if (!target || event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    go(target.href, true);
  });
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.method === "post") { form.querySelectorAll("button").forEach((button) => { button.disabled = true; }); return; }
    if (!form.matches("form[data-soft]")) return;
    event.preventDefault();
    const address = new URL(form.action);
    for (const [name, value] of new FormData(form)) address.searchParams.set(name, value);
    go(address.href, true);
  });
  document.addEventListener("change", (event) => {
    const form = event.target.closest("form[data-soft]");
    if (form) form.requestSubmit();
  });
  addEventListener("popstate", () => go(location.href, false));

  const ago = (seconds) => {
    if (seconds < 5) return "just now";
    if (seconds < 60) return `${seconds} s ago`;
    if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
    if (seconds < 86400) return `${Math.floor(seconds / 3600)} h ago`;
    return `${Math.floor(seconds / 86400)} d ago`;
  };
  setInterval(() => {
    if (document.hidden) return;
    // Some things change although nothing happens: a pace that is too old, a run that no worker works on any more.
    if (changes && Date.now() - refreshed > QUIET) refresh();
    for (const time of document.querySelectorAll("time")) {
      const text = ago(Math.max(0, Math.floor((Date.now() - Date.parse(time.dateTime)) / 1000)));
      if (time.textContent !== text) time.textContent = text;
    }
  }, 5000);
})();
