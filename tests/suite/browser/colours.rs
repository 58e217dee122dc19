//! The colours of the style sheet can be read, and told from each other by everybody.

use std::collections::HashMap;

use palette::color_difference::{Ciede2000, Wcag21RelativeContrast};
use palette::{FromColor, Lab, LinSrgb, Srgb};

const STYLE: &str = include_str!("../../../assets/style.css");
const STATUSES: [&str; 5] = ["running", "success", "failure", "cancelled", "queued"];
/// WCAG 2.2 AA: text, and what is no text but has to be seen.
const TEXT: f32 = 4.5;
const SHAPE: f32 = 3.0;
/// Of two statuses, by CIEDE2000. Two that differ by less are taken for each other beside each other.
const LEAST_DISTANCE: f32 = 15.0;
const SCHEMES: [&str; 2] = ["light", "dark"];

/// How a colour looks in linear light, after Machado, Oliveira and Fernandes, 2009, to those who lack one kind of cones.
const SEEN_BY: [(&str, [[f32; 3]; 3]); 4] = [
    ("everybody", [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]),
    (
        "protanopes",
        [[0.152_286, 1.052_583, -0.204_868], [0.114_503, 0.786_281, 0.099_216], [-0.003_882, -0.048_116, 1.051_998]],
    ),
    (
        "deuteranopes",
        [[0.367_322, 0.860_646, -0.227_968], [0.280_085, 0.672_501, 0.047_413], [-0.011_820, 0.042_940, 0.968_881]],
    ),
    (
        "tritanopes",
        [[1.255_528, -0.076_749, -0.178_779], [-0.078_411, 0.930_809, 0.147_602], [0.004_733, 0.691_367, 0.303_900]],
    ),
];

/// Each token with its colour in the light and in the dark, of lines such as `--page: light-dark(#f6f7f9, #0e1116);`.
fn tokens() -> HashMap<&'static str, [Srgb; 2]> {
    let declarations = STYLE.split(';').filter_map(|declaration| declaration.rsplit_once("--")?.1.split_once(':'));
    let colours = declarations.filter_map(|(name, value)| {
        let pair = value.trim().strip_prefix("light-dark(")?.strip_suffix(')')?;
        let (light, dark) = pair.split_once(',')?;
        let colour = |text: &str| text.trim().parse::<Srgb<u8>>().ok().map(Srgb::into_format);
        Some((name.trim(), [colour(light)?, colour(dark)?]))
    });
    colours.collect()
}

fn pairs() -> Vec<(String, String, f32)> {
    let mut pairs = Vec::new();
    let mut add = |one: &str, other: &str, least| pairs.push((one.to_owned(), other.to_owned(), least));
    for ground in ["page", "surface", "inset"] {
        add("text", ground, TEXT);
        add("muted", ground, TEXT);
    }
    for (text, ground) in [("link", "page"), ("link", "surface"), ("on-accent", "accent"), ("on-danger", "danger")] {
        add(text, ground, TEXT);
    }
    for (shape, ground) in [("focus", "page"), ("focus", "surface"), ("control", "surface")] {
        add(shape, ground, SHAPE);
    }
    for status in STATUSES {
        add(&format!("{status}-text"), "surface", TEXT);
        add(&format!("{status}-text"), &format!("{status}-soft"), TEXT);
        add(status, "lane", SHAPE);
    }
    for status in ["running", "failure"] {
        add(&format!("on-{status}"), status, TEXT);
    }
    pairs
}

#[test]
fn every_text_and_every_shape_stands_out_from_its_ground() {
    let tokens = tokens();
    let mut faults = Vec::new();
    for (one, other, least) in pairs() {
        let [one_colour, other_colour] = [&one, &other].map(|name| tokens.get(name.as_str()));
        let (Some(front), Some(ground)) = (one_colour, other_colour) else {
            faults.push(format!("the style sheet has no --{one} or no --{other}"));
            continue;
        };
        for (scheme, (front, ground)) in SCHEMES.into_iter().zip(front.iter().zip(ground)) {
            let contrast = front.relative_contrast(*ground);
            if contrast < least {
                faults.push(format!("{scheme}: {one} on {other} has a contrast of {contrast:.2}, not {least}"));
            }
        }
    }
    super::checks::assert_none(&faults);
}

fn seen(colour: Srgb, matrix: &[[f32; 3]; 3]) -> Lab {
    let LinSrgb { red, green, blue, .. } = colour.into_linear();
    let [red, green, blue] = matrix.map(|[r, g, b]| (r * red + g * green + b * blue).clamp(0.0, 1.0));
    Lab::from_color(LinSrgb::new(red, green, blue))
}

#[test]
fn everybody_can_tell_any_two_statuses_from_each_other() {
    let tokens = tokens();
    let mut faults = Vec::new();
    for (number, scheme) in SCHEMES.into_iter().enumerate() {
        for (who, matrix) in &SEEN_BY {
            for (place, one) in STATUSES.iter().enumerate() {
                for other in &STATUSES[place + 1..] {
                    let [one_seen, other_seen] = [one, other].map(|status| seen(tokens[status][number], matrix));
                    let distance = one_seen.difference(other_seen);
                    if distance < LEAST_DISTANCE {
                        faults.push(format!("{scheme}: {one} and {other} are {distance:.1} apart for {who}"));
                    }
                }
            }
        }
    }
    super::checks::assert_none(&faults);
}
