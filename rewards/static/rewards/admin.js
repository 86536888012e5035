/* Lists to choose from leave the field that searches them without a name. */
"use strict";

window.addEventListener("load", () => {
  const $ = window.django?.jQuery;

  function name(field, select) {
    const label = select?.labels?.[0]?.textContent.replace("*", "").trim();
    if (field && label) field.setAttribute("aria-label", label);
  }

  // Asked for after the page has loaded, so behind those who make the lists.
  $?.(() => {
    for (const field of document.querySelectorAll(".select2-search__field"))
      name(field, field.closest(".select2-container").previousElementSibling);
  });
  $?.(document).on("select2:open", (event) => {
    name(document.querySelector(".select2-dropdown .select2-search__field"), event.target);
  });
});

/* The slash leads to the box that finds everything. */
window.addEventListener("keydown", (event) => {
  const typing = event.target.closest("input, textarea, select, [contenteditable]");
  if (event.key !== "/" || typing || event.ctrlKey || event.metaKey || event.altKey) return;
  const box = document.getElementById("find");
  if (!box || box.checkVisibility?.() === false) return;
  event.preventDefault();
  box.focus();
});
