// Starts the bundle and wakes each island. Everything works without it; nothing here is inline.
const { module, wasm } = document.getElementById("bundle").dataset;
const bundle = await import(module);
await bundle.default({ module_or_path: wasm });
bundle.hydrate();
const wake = () => {
  for (const island of document.querySelectorAll("leptos-island:not([data-awake])")) {
    island.dataset.awake = "";
    bundle[island.dataset.component]?.(island);
  }
};
wake();
// Live parts of the page were replaced: their islands are new.
addEventListener("tripline:renewed", wake);
document.documentElement.dataset.live = "";
