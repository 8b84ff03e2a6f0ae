//! Where the labels of edges stand: on their curve, clear of boxes, of each other and of other edges' lines where there
//! is room.

use crate::layout::{GAP_X, NODE_HEIGHT, NODE_WIDTH, Place};

/// Height of a line of text, in the units of the drawing.
pub const LINE: f64 = 13.0;
/// Kept free between a label and a box.
const GAP: f64 = 9.0;
/// Length of an arrow's head.
const HEAD: f64 = 4.0;
/// Half the width of an arrow's head, with the halo of letters over it.
const HEAD_HALF: f64 = 4.5;
/// Kept free between letters and the line of their edge.
const CLEAR: f64 = 2.0;
/// How far letters reach below their line, and above it.
const DESCENT: f64 = 3.0;
const ASCENT: f64 = 9.0;
/// Width of the widest label that hides neither box of its edge.
pub const ROOM: f64 = GAP_X - 2.0 * GAP - HEAD;

/// How far points of a curve are apart that are looked at: no letter fits between two.
const STEP: f64 = 5.0;

/// The line of an edge.
#[derive(Debug, Clone)]
pub struct Stroke {
    /// Points of its cubic curve.
    pub curve: [(f64, f64); 4],
    /// Its width.
    pub thickness: f64,
}

/// A label that wants a place.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Which of the lines its edge's is.
    pub edge: usize,
    /// Width of its longest line.
    pub width: f64,
    /// Lines of text.
    pub lines: usize,
}

/// Left, top, right, bottom.
type Area = [f64; 4];

fn overlap(a: Area, b: Area) -> f64 {
    let wide = a[2].min(b[2]) - a[0].max(b[0]);
    let high = a[3].min(b[3]) - a[1].max(b[1]);
    wide.max(0.0) * high.max(0.0)
}

/// The point of a Bezier curve at `t` of its way.
fn at(curve: &[(f64, f64); 4], t: f64) -> (f64, f64) {
    let u = 1.0 - t;
    let weights = [u * u * u, 3.0 * u * u * t, 3.0 * u * t * t, t * t * t];
    let pairs = || curve.iter().zip(weights);
    (
        pairs().map(|(point, weight)| point.0 * weight).sum(),
        pairs().map(|(point, weight)| point.1 * weight).sum(),
    )
}

/// A line as points close to each other, and all that they cover.
struct Track {
    points: Vec<(f64, f64)>,
    half: f64,
    bounds: Area,
}

impl Track {
    fn of(stroke: &Stroke) -> Self {
        let legs = stroke.curve.iter().zip(&stroke.curve[1..]);
        let length: f64 = legs.map(|(a, b)| (a.0 - b.0).hypot(a.1 - b.1)).sum();
        let steps = (length / STEP).ceil().max(1.0);
        let points: Vec<(f64, f64)> = (0..=steps as usize)
            .map(|step| at(&stroke.curve, step as f64 / steps))
            .collect();
        // Along an edge that nothing flows on a thin line is drawn.
        let half = (stroke.thickness / 2.0).max(0.5);
        let nowhere = [
            f64::INFINITY,
            f64::INFINITY,
            f64::NEG_INFINITY,
            f64::NEG_INFINITY,
        ];
        let bounds = points.iter().fold(nowhere, |[l, t, r, b], (x, y)| {
            [
                l.min(x - half),
                t.min(y - half),
                r.max(x + half),
                b.max(y + half),
            ]
        });
        Self {
            points,
            half,
            bounds,
        }
    }

    /// How many of its points stand in an area.
    fn points_in(&self, area: Area) -> usize {
        if overlap(self.bounds, area) == 0.0 {
            return 0;
        }
        let is_in = |(x, y): &&(f64, f64)| {
            let is_beside = *x + self.half > area[0] && *x - self.half < area[2];
            is_beside && *y + self.half > area[1] && *y - self.half < area[3]
        };
        self.points.iter().filter(is_in).count()
    }
}

/// The middle of each label's first line, in the order asked: the first of a few places along its edge, the
/// callee's end first, that hides nothing; else the one that hides least of boxes and labels, and of those the one
/// least crossed by the lines of other edges.
pub fn place(asked: &[Asked], strokes: &[Stroke], nodes: &[Place]) -> Vec<(f64, f64)> {
    let tracks: Vec<Track> = strokes.iter().map(Track::of).collect();
    let mut taken: Vec<Area> = nodes
        .iter()
        .map(|n| {
            [
                n.x - 2.0,
                n.y - 2.0,
                n.x + NODE_WIDTH + 2.0,
                n.y + NODE_HEIGHT + 2.0,
            ]
        })
        .collect();
    let mut found = Vec::with_capacity(asked.len());
    for label in asked {
        let crossed = |area: Area| -> usize {
            let others = tracks
                .iter()
                .enumerate()
                .filter(|(at, _)| *at != label.edge);
            others.map(|(_, track)| track.points_in(area)).sum()
        };
        let (place, area) = best(label, &strokes[label.edge], &taken, crossed);
        taken.push(area);
        found.push(place);
    }
    found
}

/// What a place hides of boxes and labels, and how many points of other edges' lines are under it.
type Cost = (f64, usize);

fn best(
    label: &Asked,
    stroke: &Stroke,
    taken: &[Area],
    crossed: impl Fn(Area) -> usize,
) -> ((f64, f64), Area) {
    let width = label.width;
    let below = label.lines.saturating_sub(1) as f64 * LINE;
    let (start, end) = (stroke.curve[0], stroke.curve[3]);
    let half = (stroke.thickness / 2.0).max(HEAD_HALF);
    // From the edge up to the last line of text over it, and down to the first one under it.
    let (over, under) = (half + CLEAR + DESCENT, half + CLEAR + ASCENT);
    let mut best: Option<(Cost, (f64, f64), Area)> = None;
    for t in [0.8, 0.68, 0.56, 0.9, 0.44, 0.32, 0.2] {
        for lift in [
            over + below,
            -under,
            over + below + LINE,
            -under - LINE,
            over,
        ] {
            let (mut x, y) = at(&stroke.curve, t);
            let (low, high) = (
                start.0 + width / 2.0 + GAP,
                end.0 - width / 2.0 - GAP - HEAD,
            );
            if end.0 > start.0 {
                x = if low < high {
                    x.clamp(low, high)
                } else {
                    (start.0 + end.0) / 2.0
                };
            }
            let first = y - lift;
            let area = [
                x - width / 2.0,
                first - LINE + 2.0,
                x + width / 2.0,
                first + below + 3.0,
            ];
            let hidden: f64 = taken.iter().map(|other| overlap(area, *other)).sum();
            if best.is_some_and(|((least, _), ..)| hidden > least) {
                continue;
            }
            let cost = (hidden, crossed(area));
            if best.is_none_or(|(least, ..)| cost < least) {
                best = Some((cost, (x, first), area));
            }
            if cost == (0.0, 0) {
                return ((x, first), area);
            }
        }
    }
    let (_, place, area) = best.expect("places were tried");
    (place, area)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_of_edges_that_part_or_meet_do_not_overlap() {
        let node = |x: f64, y: f64| Place { x, y };
        let nodes = [
            node(0.0, 117.0),
            node(392.0, 0.0),
            node(392.0, 78.0),
            node(392.0, 156.0),
            node(392.0, 234.0),
        ];
        let curve = |to: usize| {
            let (x1, y1) = (nodes[0].x + NODE_WIDTH, nodes[0].y + 26.0);
            let (x2, y2) = (nodes[to].x, nodes[to].y + 26.0);
            let bend = (x2 - x1) / 2.0;
            [(x1, y1), (x1 + bend, y1), (x2 - bend, y2), (x2, y2)]
        };
        // Two to the second: a call and a message.
        let strokes = [1, 2, 3, 4, 2].map(|to| Stroke {
            curve: curve(to),
            thickness: 3.0,
        });
        let asked: Vec<Asked> = (0..strokes.len())
            .map(|edge| Asked {
                edge,
                width: 160.0,
                lines: 2,
            })
            .collect();
        let placed = place(&asked, &strokes, &nodes);
        let half = 160.0 / 2.0;
        let areas: Vec<Area> = placed
            .iter()
            .map(|(x, y)| [x - half, y - 11.0, x + half, y + LINE + 3.0])
            .collect();
        for (n, a) in areas.iter().enumerate() {
            for b in &areas[n + 1..] {
                assert_eq!(overlap(*a, *b), 0.0, "{placed:?}");
            }
            for place in &nodes {
                let node = [
                    place.x,
                    place.y,
                    place.x + NODE_WIDTH,
                    place.y + NODE_HEIGHT,
                ];
                assert_eq!(overlap(*a, node), 0.0, "{placed:?}");
            }
        }
        let again = place(&asked, &strokes, &nodes);
        assert_eq!(placed, again, "the same every time");
    }

    #[test]
    fn a_label_stands_clear_of_the_line_of_another_edge() {
        let nodes = [Place { x: 0.0, y: 0.0 }, Place { x: 392.0, y: 0.0 }];
        let y = NODE_HEIGHT / 2.0;
        let (from, to) = (NODE_WIDTH, nodes[1].x);
        let middle = (from + to) / 2.0;
        let own = Stroke {
            curve: [(from, y), (middle, y), (middle, y), (to, y)],
            thickness: 1.5,
        };
        let across = |x: f64| Stroke {
            curve: [(x, y - 90.0), (x, y - 30.0), (x, y + 30.0), (x, y + 90.0)],
            thickness: 2.0,
        };
        let label = |strokes: &[Stroke]| {
            let asked = Asked {
                edge: 0,
                width: 60.0,
                lines: 1,
            };
            place(&[asked], strokes, &nodes)[0]
        };
        let alone = label(std::slice::from_ref(&own));
        // Where it would stand without the other.
        let crossing = across(alone.0);
        let (x, first) = label(&[own.clone(), crossing.clone()]);
        assert!((x - alone.0).abs() > 30.0, "{x} is crossed at {}", alone.0);
        assert!((first - y).abs() < NODE_HEIGHT, "{first} is near its edge");
        // One that goes by elsewhere moves nothing.
        assert_eq!(label(&[own.clone(), across(from + 5.0)]), alone);
        // Where lines are everywhere, it still hides no box.
        let mut crowd: Vec<Stroke> = (0..40).map(|n| across(from + 5.0 * f64::from(n))).collect();
        crowd.insert(0, own);
        let (x, _) = label(&crowd);
        assert!(x - 30.0 > from && x + 30.0 < to, "{x}");
    }

    #[test]
    fn a_label_touches_neither_the_line_of_its_edge_nor_its_arrow() {
        let nodes = [Place { x: 16.0, y: 16.0 }, Place { x: 408.0, y: 16.0 }];
        let y = nodes[0].y + NODE_HEIGHT / 2.0;
        let (from, to) = (nodes[0].x + NODE_WIDTH, nodes[1].x);
        let middle = (from + to) / 2.0;
        for (thickness, lines) in [(1.5, 1), (1.5, 2), (8.0, 1), (8.0, 2), (12.0, 1)] {
            let stroke = Stroke {
                curve: [(from, y), (middle, y), (middle, y), (to, y)],
                thickness,
            };
            let label = Asked {
                edge: 0,
                width: 90.0,
                lines,
            };
            let (x, first) = place(&[label], &[stroke], &nodes)[0];
            let last = first + (lines - 1) as f64 * LINE;
            let half = f64::max(thickness / 2.0, HEAD_HALF);
            let is_over = last + DESCENT < y - half;
            let is_under = first - ASCENT > y + half;
            assert!(is_over || is_under, "{thickness} wide: {first} at {y}");
            assert!(x + 45.0 < to - HEAD, "{thickness} wide: {x}");
        }
    }
}
