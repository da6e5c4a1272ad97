// What of the page can hardly be seen: texts and marks of charts with too little contrast, texts that lie over each
// other, stand outside of their chart or are too small, and elements that reach beyond the screen.
const channel = (v) => (v / 255 <= 0.03928 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4);
const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
const numbers = (colour) => colour.match(/[\d.]+/g).map(Number);
const contrast = (one, other) => {
  const [more, less] = [light(one), light(other)].sort((a, b) => b - a);
  return (more + 0.05) / (less + 0.05);
};
const seen = (element) => element.checkVisibility() && element.getBoundingClientRect().width > 0;
const page = numbers(getComputedStyle(document.body).backgroundColor);
const through = ([r, g, b], share) => [r, g, b].map((v, n) => v * share + page[n] * (1 - share));
const said = (element) => `${element.outerHTML.slice(0, 90)} (${element.closest("svg")?.getAttribute("aria-label")?.slice(0, 40)})`;
const found = [];

for (const text of [...document.querySelectorAll("svg.chart text")].filter(seen)) {
  const style = getComputedStyle(text);
  if (contrast(numbers(style.fill), page) < 4.5) found.push(`poor contrast: ${said(text)}`);
  const svg = text.closest("svg");
  const frame = svg.getBoundingClientRect();
  const place = text.getBoundingClientRect();
  const size = parseFloat(style.fontSize) * (frame.width / svg.viewBox.baseVal.width);
  if (size < 10) found.push(`${size.toFixed(1)} px is too small: ${said(text)}`);
  if (place.left < frame.left - 1 || place.right > frame.right + 1) found.push(`outside of its chart: ${said(text)}`);
}
for (const svg of [...document.querySelectorAll("svg.chart")].filter(seen)) {
  const texts = [...svg.querySelectorAll("text")].map((text) => [text, text.getBoundingClientRect()]);
  texts.forEach(([one, a], place) => {
    for (const [other, b] of texts.slice(place + 1)) {
      const wide = Math.min(a.right, b.right) - Math.max(a.left, b.left);
      const high = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
      if (wide > 1 && high > 3) found.push(`texts over each other: ${one.textContent} and ${other.textContent} in ${svg.getAttribute("aria-label").slice(0, 40)}`);
    }
  });
}
for (const mark of [...document.querySelectorAll("svg.chart .thick, svg.chart .interval, svg.chart .dot, svg.share .fill")].filter((mark) => mark.checkVisibility())) {
  const style = getComputedStyle(mark);
  const colour = numbers(mark.matches(".dot, .fill") ? style.fill : style.stroke);
  if (contrast(through(colour, Number(style.opacity)), page) < 3) found.push(`poor contrast of a mark: ${said(mark)}`);
}
for (const element of [...document.querySelectorAll("body *")].filter(seen)) {
  if (element.closest(".wide, svg")) continue;
  if (element.getBoundingClientRect().right > innerWidth + 1) found.push(`beyond the screen: ${element.outerHTML.slice(0, 90)}`);
}
for (const cell of [...document.querySelectorAll("th, td, dt, summary")].filter(seen)) {
  const walker = document.createTreeWalker(cell, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    for (const { 0: word, index } of node.data.matchAll(/(?<![\p{L}\d.])\p{L}{2,16}(?![\p{L}\d.])/gu)) {
      const range = document.createRange();
      range.setStart(node, index);
      range.setEnd(node, index + word.length);
      if (new Set([...range.getClientRects()].map(({ top }) => top)).size > 1) found.push(`a broken word: ${word} in ${cell.outerHTML.slice(0, 90)}`);
    }
  }
}
if (document.scrollingElement.scrollWidth > innerWidth) found.push(`scrolls to ${document.scrollingElement.scrollWidth} of ${innerWidth}`);
return found;
