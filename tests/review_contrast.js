// Texts that stand out from what lies under them by less than 4.5 to 1, which WCAG asks for.
const channel = (v) => (v / 255 <= 0.03928 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4);
const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);

function numbers(colour) {
  const found = colour.match(/[\d.]+/g).map(Number);
  return colour.startsWith("color(srgb") ? [...found.slice(0, 3).map((v) => v * 255), ...found.slice(3)] : found;
}

function under(element) {
  const layers = [];
  for (let below = element; below; below = below.parentElement) {
    const [r, g, b, a = 1] = numbers(getComputedStyle(below).backgroundColor);
    if (a > 0) layers.unshift([r, g, b, a]);
    if (a === 1) break;
  }
  return layers.reduce((back, [r, g, b, a]) => [r, g, b].map((v, n) => v * a + back[n] * (1 - a)), [255, 255, 255]);
}

const hasText = (element) => [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());

return [...document.querySelectorAll("body *")]
  .filter((element) => element.checkVisibility() && !element.disabled && hasText(element))
  .filter((element) => {
    const [more, less] = [light(numbers(getComputedStyle(element).color)), light(under(element))].sort((a, b) => b - a);
    return (more + 0.05) / (less + 0.05) < 4.5;
  })
  .map((element) => element.outerHTML.slice(0, 120));
