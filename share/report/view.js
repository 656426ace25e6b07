// What the pages share: elements, stored pictures, and stages that zoom in step.
const $ = id => document.getElementById(id);
const create = (tag, properties = {}, ...children) => {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
};
const clamp = (value, low, high) => Math.min(Math.max(value, low), high);
async function load(script) {
  const image = new Image();
  image.src = script.textContent;
  await image.decode();
  return image;
}

const ratio = () => window.devicePixelRatio || 1;

/// Pictures of one size on several canvases: what is done to one is done to all.
class View {
  static LARGEST = 64;
  fit = true;
  zoom = 1;  // screen pixels a pixel
  x = 0; y = 0;  // the pixel amid a stage

  /// `stages`: [{element, canvas}]; `size()`: the pictures' {width, height}, or null; `draw()` draws them all.
  constructor(stages, size, draw) { Object.assign(this, {stages, size, draw}); }

  get shown() { return this.stages.filter(stage => !stage.element.hidden); }

  fitting() {
    const {width, height} = this.size();
    return Math.min(...this.shown.map(({canvas}) => Math.min(canvas.width / width, canvas.height / height)));
  }

  /// Where the picture's corner is on a canvas, on whole screen pixels.
  corner(canvas) {
    return {x: Math.round(canvas.width / 2 - this.x * this.zoom), y: Math.round(canvas.height / 2 - this.y * this.zoom)};
  }

  /// Gives the canvases their stages' sizes; draw after it.
  measure() {
    for (const {canvas, element} of this.shown) {
      canvas.width = Math.max(1, Math.round(element.clientWidth * ratio()));
      canvas.height = Math.max(1, Math.round(element.clientHeight * ratio()));
    }
  }

  /// Keeps the pictures in sight: amid the stage where they are smaller, else without a gap.
  settle() {
    const fit = this.fitting(), {width, height} = this.size();
    if (this.fit || this.zoom <= fit * 1.001 && fit <= 1) { this.fit = true; this.zoom = fit; }
    const canvas = this.shown[0].canvas;
    const within = (at, size, room) => size <= 2 * room ? size / 2 : clamp(at, room, size - room);
    this.x = within(this.x, width, canvas.width / this.zoom / 2);
    this.y = within(this.y, height, canvas.height / this.zoom / 2);
  }

  clear() {
    for (const {canvas, element} of this.stages) {
      canvas.getContext('2d').clearRect(0, 0, canvas.width, canvas.height);
      element.classList.toggle('fit', this.fit);
    }
  }

  /// An image, stretched to the pictures' size, between two columns of a canvas.
  draw_image(canvas, image, {from = 0, to = canvas.width, smooth = false} = {}) {
    const context = canvas.getContext('2d'), {width, height} = this.size();
    const at = this.corner(canvas);
    context.save();
    context.beginPath();
    context.rect(from, 0, to - from, canvas.height);
    context.clip();
    context.imageSmoothingEnabled = smooth || this.zoom < 2 && this.zoom !== 1;  // from there on pixels are squares
    context.imageSmoothingQuality = 'high';
    context.drawImage(image, at.x, at.y, width * this.zoom, height * this.zoom);
    context.restore();
  }

  /// Zooms so that the pixel at (x, y) of the canvas stays where it is.
  zoom_to(zoom, canvas = this.shown[0].canvas, x = canvas.width / 2, y = canvas.height / 2) {
    if (!this.size()) return;
    const dx = x - canvas.width / 2, dy = y - canvas.height / 2;
    const next = clamp(zoom, Math.min(this.fitting(), 1), Math.max(View.LARGEST, this.fitting()));
    this.x += dx / this.zoom - dx / next;
    this.y += dy / this.zoom - dy / next;
    this.zoom = next;
    this.fit = false;
    this.draw();
  }
  zoom_by(factor) { this.zoom_to(this.zoom * factor); }
  fit_all() { this.fit = true; this.draw(); }

  /// A pointer's place in screen pixels of a stage's canvas.
  place_of(event, {canvas}) {
    const box = canvas.getBoundingClientRect();
    return {x: (event.clientX - box.left) * ratio(), y: (event.clientY - box.top) * ratio()};
  }

  /// Drags pan, the wheel and two fingers zoom. Of what a stage does besides, each given a place on the canvas:
  /// `grab(at)` answers whether the drag that begins is the stage's own, `drag(at)` goes on with it, and
  /// `hover(event)` hears of every move.
  listen(stage, {grab = () => false, drag = () => {}, hover = () => {}, leave = () => {}} = {}) {
    const {element, canvas} = stage;
    const pointers = new Map();  // where each was last
    let grabbed = false;
    element.addEventListener('pointerdown', event => {
      if (!this.size() || event.button !== 0) return;
      event.preventDefault();  // no selection
      element.setPointerCapture(event.pointerId);
      const at = this.place_of(event, stage);
      pointers.set(event.pointerId, at);
      grabbed = pointers.size === 1 && grab(at);
      if (grabbed) drag(at);
      element.classList.toggle('panning', !grabbed);
    });
    element.addEventListener('pointermove', event => {
      if (!this.size()) return;
      hover(event);
      const before = pointers.get(event.pointerId), at = this.place_of(event, stage);
      if (!before) return;
      if (grabbed && pointers.size === 1) {
        drag(at);
      } else if (pointers.size === 1) {
        this.x -= (at.x - before.x) / this.zoom;
        this.y -= (at.y - before.y) / this.zoom;
        this.draw();
      } else {  // two fingers: the distance between them zooms
        const [other] = [...pointers].filter(([id]) => id !== event.pointerId).map(([, place]) => place);
        const apart = place => Math.hypot(place.x - other.x, place.y - other.y) || 1;
        this.zoom_to(this.zoom * apart(at) / apart(before), canvas, (at.x + other.x) / 2, (at.y + other.y) / 2);
      }
      pointers.set(event.pointerId, at);
    });
    const end = event => { pointers.delete(event.pointerId); if (pointers.size === 0) { grabbed = false; element.classList.remove('panning'); } };
    element.addEventListener('pointerup', end);
    element.addEventListener('pointercancel', end);
    element.addEventListener('pointerleave', leave);
    element.addEventListener('wheel', event => {
      event.preventDefault();
      if (!this.size()) return;
      const at = this.place_of(event, stage), lines = event.deltaMode === 1 ? 16 : 1;
      this.zoom_to(this.zoom * Math.exp(-0.002 * lines * clamp(event.deltaY, -400, 400)), canvas, at.x, at.y);
    }, {passive: false});
  }

  /// What keys do to it, and the buttons of these ids.
  keys = {
    '+': () => this.zoom_by(Math.SQRT2), '=': () => this.zoom_by(Math.SQRT2), '-': () => this.zoom_by(Math.SQRT1_2),
    0: () => this.fit_all(),
  };
  listen_to_buttons() {
    for (const [id, act] of [['in', this.keys['+']], ['out', this.keys['-']], ['fit', this.keys[0]], ['one', () => this.zoom_to(1)]]) {
      $(id).addEventListener('click', act);
    }
  }
}

/// Calls the act of a key that is pressed where nobody writes.
function listen_to_keys(keys) {
  document.addEventListener('keydown', event => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.tagName === 'INPUT') return;
    const act = Object.hasOwn(keys, event.key) && keys[event.key];
    if (!act) return;
    event.preventDefault();
    act(event);
  });
}
