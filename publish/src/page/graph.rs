//! Migrations as a picture: versions from left to right, and an arc for each step.

use std::collections::{BTreeMap, BTreeSet};

use super::facts::Step;
use super::words::text;

/// From one version to the next.
const APART: f64 = 120.0;
const SIDE: f64 = 60.0;
/// How much higher an arc is for each version that it passes.
const RISE: f64 = 22.0;
/// The highest arc: beyond so many versions they are not told apart by their height.
const HIGHEST: f64 = 150.0;

/// The picture; empty without steps.
pub(super) fn picture(steps: &[Step]) -> String {
    let versions: BTreeSet<_> = steps.iter().flat_map(|step| [&step.from, &step.to]).collect();
    if versions.is_empty() {
        return String::new();
    }
    let places: BTreeMap<_, _> = (0_u32..)
        .zip(&versions)
        .map(|(number, version)| (*version, SIDE + APART * f64::from(number)))
        .collect();
    let width = 2.0 * SIDE + APART * (versions.len() - 1) as f64;
    let height = |from: f64, to: f64| (14.0 + RISE * (to - from).abs() / APART).min(HIGHEST);
    let highest = steps.iter().map(|step| height(places[&step.from], places[&step.to])).fold(0.0, f64::max);
    let base = highest + 40.0;
    let (mut lines, mut labels) = (String::new(), String::new());
    for step in steps {
        let (from, to) = (places[&step.from], places[&step.to]);
        let (middle, top) = ((from + to) / 2.0, base - 8.0 - height(from, to));
        // A curve of the second order comes half as high as its middle point.
        let control = base - 8.0 - 2.0 * height(from, to);
        lines += &format!(
            "<path class=\"edge\" d=\"M{from:.1} {:.1}Q{middle:.1} {control:.1} {to:.1} {:.1}\"/>\n",
            base - 8.0,
            base - 8.0
        );
        labels += &format!(
            "<text class=\"faint\" x=\"{middle:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>\n",
            top - 4.0,
            step.migrations.len()
        );
    }
    // What is written lies above every arc.
    lines += &labels;
    for (version, x) in &places {
        lines += &format!("<circle class=\"node\" cx=\"{x:.1}\" cy=\"{base:.1}\" r=\"6\"/>\n");
        lines += &format!(
            "<text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>\n",
            base + 24.0,
            text(&version.to_string())
        );
    }
    format!(
        "<svg class=\"graph\" viewBox=\"0 0 {width} {:.1}\" width=\"{width}\" role=\"img\" aria-label=\"{} versions and {} steps between them; the table below has each\">\n{lines}</svg>\n",
        base + 36.0,
        versions.len(),
        steps.len()
    )
}
