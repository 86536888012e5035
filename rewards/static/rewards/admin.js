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
