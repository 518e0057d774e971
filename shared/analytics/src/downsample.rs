//! Downsampling of curves for plots.

/// Maximum number of points of a series, about the columns of a screen.
const MAX_POINTS: usize = 2_000;

/// Maximum number of points kept of each stretch: the lowest, the highest and, if there is a gap, the first point
/// without a value.
const POINTS_PER_STRETCH: usize = 3;

/// Reduces a curve of `count` points to at most [`MAX_POINTS`]: the first, the last, and the extremes of each stretch
/// between them, in their order.
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
    for (index, point) in points.enumerate() {
        let number = match index {
            0 => 0,
            index if index + 1 >= count => stretches + 1,
            index => 1 + (index - 1) * stretches / (count - 2),
        };
        if number != stretch.number {
            stretch.append_to(&mut kept);
            stretch = Stretch { number, ..Stretch::default() };
        }
        stretch.add(index, point, value(&point));
    }
    stretch.append_to(&mut kept);
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
    fn add(&mut self, index: usize, point: T, value: Option<f64>) {
        let Some(value) = value else {
            self.gap = self.gap.or(Some((index, point, 0.0)));
            return;
        };
        if self.lowest.is_none_or(|lowest| value < lowest.2) {
            self.lowest = Some((index, point, value));
        }
        if self.highest.is_none_or(|highest| value > highest.2) {
            self.highest = Some((index, point, value));
        }
    }

    fn append_to(&self, kept: &mut Vec<T>) {
        let mut found: Vec<(usize, T, f64)> = [self.lowest, self.highest, self.gap].into_iter().flatten().collect();
        found.sort_unstable_by_key(|(index, ..)| *index);
        found.dedup_by_key(|(index, ..)| *index);
        kept.extend(found.into_iter().map(|(_, point, _)| point));
    }
}
