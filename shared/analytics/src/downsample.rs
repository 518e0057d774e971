//! Long curves as short ones that look the same.

/// As many as a screen has columns.
const MAX_POINTS: usize = 2_000;

/// Of each stretch the lowest, the highest and, if there is a gap, the first point without a value are kept.
const POINTS_PER_STRETCH: usize = 3;

/// Keeps the first and the last of the points, and what stands out between them, in their order. `count` is how many there are.
pub(crate) fn downsample<T: Copy>(
    points: impl Iterator<Item = T>,
    count: usize,
    value: impl Fn(&T) -> Option<f64>,
) -> Vec<T> {
    if count <= MAX_POINTS {
        return points.collect();
    }
    let stretches = (MAX_POINTS - 2) / POINTS_PER_STRETCH;
    let mut kept = Vec::with_capacity(MAX_POINTS);
    let mut stretch = Stretch::default();
    for (place, point) in points.enumerate() {
        let number = match place {
            0 => 0,
            place if place + 1 >= count => stretches + 1,
            place => 1 + (place - 1) * stretches / (count - 2),
        };
        if number != stretch.number {
            stretch.keep(&mut kept);
            stretch = Stretch { number, ..Stretch::default() };
        }
        stretch.see(place, point, value(&point));
    }
    stretch.keep(&mut kept);
    kept
}

struct Stretch<T> {
    number: usize,
    lowest: Option<(usize, T, f64)>,
    highest: Option<(usize, T, f64)>,
    gap: Option<(usize, T, f64)>,
}

impl<T> Default for Stretch<T> {
    fn default() -> Self {
        Self { number: 0, lowest: None, highest: None, gap: None }
    }
}

impl<T: Copy> Stretch<T> {
    fn see(&mut self, place: usize, point: T, value: Option<f64>) {
        let Some(value) = value else {
            self.gap = self.gap.or(Some((place, point, 0.0)));
            return;
        };
        if self.lowest.is_none_or(|lowest| value < lowest.2) {
            self.lowest = Some((place, point, value));
        }
        if self.highest.is_none_or(|highest| value > highest.2) {
            self.highest = Some((place, point, value));
        }
    }

    fn keep(&self, kept: &mut Vec<T>) {
        let mut found: Vec<(usize, T, f64)> = [self.lowest, self.highest, self.gap].into_iter().flatten().collect();
        found.sort_unstable_by_key(|(place, ..)| *place);
        found.dedup_by_key(|(place, ..)| *place);
        kept.extend(found.into_iter().map(|(_, point, _)| point));
    }
}
