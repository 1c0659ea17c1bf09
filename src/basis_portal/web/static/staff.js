'use strict';

// --- counter: how many characters are left. It speaks when the typing pauses, not at each key.
{
  const PAUSE = 1000; // ms

  for (const counter of document.querySelectorAll('[data-counts]')) {
    const { counts, limit, leftOne, leftMany, overOne, overMany } = counter.dataset;
    const field = document.getElementById(counts);
    const spoken = document.querySelector(`[data-speaks="${counts}"]`);
    let pause = 0;

    // As the server counts: code points, line breaks as LF, without space at the ends.
    const count = () => {
      const left = Number(limit) - [...field.value.replace(/\r\n?/g, '\n').trim()].length;
      const words = left < 0 ? [overOne, overMany] : [leftOne, leftMany];
      const number = Math.abs(left);
      const shown = number.toLocaleString(document.documentElement.lang);
      counter.textContent = words[number === 1 ? 0 : 1].replace('{}', shown);
      counter.classList.toggle('over', left < 0);
    };

    field.addEventListener('input', () => {
      count();
      clearTimeout(pause);
      pause = setTimeout(() => { spoken.textContent = counter.textContent; }, PAUSE);
    });
    window.addEventListener('pageshow', count); // a browser that goes back fills in what was typed
  }
}

// --- tokens: copy a link. The list does not hold it; it is asked for when it is wanted.

{
  const COPIED = 2000; // ms
  const said = document.getElementById('copied');
  const shown = document.getElementById('link'); // on the page of one customer's token

  const ask = async ({ dataset }) => {
    const body = new URLSearchParams({ form: dataset.form });
    const answer = await fetch(dataset.copy, { method: 'POST', body, redirect: 'error' });
    if (!answer.ok) throw new Error(`no link: ${answer.status}`);
    const link = await answer.text();
    if (shown && shown.textContent !== link) throw new Error('another link than the page shows');
    return link;
  };

  // Called within the click, before anything is awaited: Safari would refuse it later.
  const write = (link) => {
    if (window.ClipboardItem && navigator.clipboard.write) {
      const text = link.then((found) => new Blob([found], { type: 'text/plain' }));
      return navigator.clipboard.write([new ClipboardItem({ 'text/plain': text })]);
    }
    return link.then((found) => navigator.clipboard.writeText(found));
  };

  const say = (words) => {
    said.textContent = '';
    setTimeout(() => { said.textContent = words; }, 50); // the same words are said again too
  };

  const sayCopied = (button) => {
    button.classList.add('copied');
    setTimeout(() => button.classList.remove('copied'), COPIED);
    say(button.dataset.copied);
  };

  // What http intranets have, where there is no navigator.clipboard.
  const copySelected = (button) => {
    const range = document.createRange();
    range.selectNodeContents(shown);
    getSelection().removeAllRanges();
    getSelection().addRange(range);
    const copied = document.execCommand('copy');
    if (copied) sayCopied(button);
    else say(said.dataset.failed);
    return copied;
  };

  // The page of the token says how it stands, and shows the link where there is one.
  const toPageOf = (button) => {
    const page = new URL(button.href);
    page.hash = page.pathname === location.pathname ? '' : '#copy';
    location.assign(page);
  };

  const copy = async (button) => {
    const link = ask(button);
    try {
      await write(link);
      sayCopied(button);
    } catch {
      const found = await link.catch(() => null);
      if (shown && found) copySelected(button);
      else toPageOf(button);
    }
  };

  const copyShown = (button) => {
    if (copySelected(button)) ask(button).catch(() => toPageOf(button)); // told to the audit trail
  };

  document.addEventListener('click', (event) => {
    const button = event.target.closest('[data-copy]');
    if (!button || event.button || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    if (navigator.clipboard) copy(button);
    else if (shown) copyShown(button);
    else toPageOf(button);
  });

  const first = document.querySelector('[data-copy]');
  if (shown && first && location.hash === '#copy') copyShown(first);
}
