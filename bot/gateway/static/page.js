// The chat's own page follows the language of the chat: its direction, its title, its address.
document.addEventListener("lotse:language", async ({ detail, target }) => {
  const page = document.documentElement;
  page.lang = detail.language;
  page.dir = target.panel?.speech.direction ?? page.dir;
  document.title = `${target.panel?.text("header.name")}: ${target.panel?.text("header.what")}`;
  const address = new URL(location.href);
  address.searchParams.set("language", detail.language);
  history.replaceState(null, "", address);
});
