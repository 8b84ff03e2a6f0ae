// Starts the bundle and wakes each island. Everything works without it; nothing here is inline.
const { module, wasm } = document.getElementById("bundle").dataset;
const bundle = await import(module);
await bundle.default({ module_or_path: wasm });
bundle.hydrate();
for (const island of document.querySelectorAll("leptos-island")) {
  bundle[island.dataset.component]?.(island);
}
document.documentElement.dataset.live = "";
