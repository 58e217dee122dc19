//! The two texts that a monitoring system reads, and which of them it asks for.
//!
//! The crate writes OpenMetrics. The older text differs from what it writes only in the lines that describe a family, so
//! that these are written anew; a second encoder would have to keep up with the first.

use std::fmt::Write;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// The text format 0.0.4 of Prometheus, which everything reads.
    Plain,
    OpenMetrics,
}

impl Format {
    #[must_use]
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Plain => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }

    /// Of the formats that an `Accept` header names, the one that it prefers, and of two alike the first. A header that
    /// names neither gets the older one, as Prometheus' own libraries answer.
    #[must_use]
    pub fn asked_for(accept: &str) -> Self {
        let mut best: Option<(Self, f32)> = None;
        for (format, quality) in accept.split(',').filter_map(read_range) {
            if quality > 0.0 && best.is_none_or(|(_, so_far)| quality > so_far) {
                best = Some((format, quality));
            }
        }
        best.map_or(Self::Plain, |(format, _)| format)
    }

    pub(super) fn of_open_metrics(self, text: String) -> String {
        match self {
            Self::Plain => plain(&text),
            Self::OpenMetrics => text,
        }
    }
}

/// One range of an `Accept` header, if it can be answered as it asks, and how much it is preferred.
fn read_range(range: &str) -> Option<(Format, f32)> {
    let mut parts = range.split(';').map(str::trim);
    let media_type = parts.next()?.to_ascii_lowercase();
    let parameters: Vec<(String, &str)> = parts
        .filter_map(|part| part.split_once('='))
        .map(|(name, value)| (name.trim().to_ascii_lowercase(), value.trim().trim_matches('"')))
        .collect();
    let parameter = |name: &str| parameters.iter().find(|(named, _)| named == name).map(|(_, value)| *value);
    let (format, version) = match media_type.as_str() {
        "application/openmetrics-text" => (Format::OpenMetrics, "1.0.0"),
        "text/plain" => (Format::Plain, "0.0.4"),
        "text/*" | "*/*" => (Format::Plain, ""),
        _ => return None,
    };
    if parameter("version").is_some_and(|asked| !version.is_empty() && asked != version) {
        return None;
    }
    let quality = parameter("q").map_or(Ok(1.0), str::parse::<f32>).ok().filter(|quality| quality.is_finite())?;
    Some((format, quality))
}

/// OpenMetrics as text 0.0.4: families have the names of their samples, there are fewer types, and no end mark.
fn plain(open_metrics: &str) -> String {
    let mut text = String::with_capacity(open_metrics.len());
    let mut help = "";
    for line in open_metrics.lines() {
        if let Some(described) = line.strip_prefix("# HELP ") {
            help = described.split_once(' ').map_or("", |(_, help)| help);
        } else if let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|typed| typed.split_once(' ')) {
            let (suffix, kind) = match kind {
                "counter" => ("_total", "counter"),
                "info" => ("_info", "gauge"),
                "unknown" => ("", "untyped"),
                kind => ("", kind),
            };
            let _ = write!(text, "# HELP {name}{suffix} {help}\n# TYPE {name}{suffix} {kind}\n");
        } else if !line.starts_with("# ") {
            text.push_str(line);
            text.push('\n');
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_monitoring_system_is_answered_in_the_format_that_it_prefers() {
        let (plain, open) = (Format::Plain, Format::OpenMetrics);
        for (accept, format) in [
            ("", plain),
            ("*/*", plain),
            ("text/html,application/xhtml+xml,*/*;q=0.8", plain),
            ("application/openmetrics-text", open),
            ("Application/OpenMetrics-Text; Version=1.0.0; charset=utf-8", open),
            // Prometheus 2 and 3, and an agent that wants the older text.
            (
                "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,\
                 text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
                open,
            ),
            (
                "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,\
                 text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
                open,
            ),
            ("text/plain;version=0.0.4;q=1,*/*;q=0.1", plain),
            ("text/plain; version=0.0.4; q=0.9, application/openmetrics-text; version=\"1.0.0\"", open),
            ("text/plain, application/openmetrics-text", plain),
            // What cannot be answered as asked is passed over.
            ("application/openmetrics-text; version=0.0.1", plain),
            ("application/openmetrics-text; version=2.0.0", plain),
            ("application/openmetrics-text; q=0, text/plain", plain),
            ("application/openmetrics-text; q=much, */*", plain),
            ("application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited", plain),
            (";;,,;q=,", plain),
        ] {
            assert_eq!(Format::asked_for(accept), format, "{accept:?}");
        }
    }

    #[test]
    fn the_older_text_names_families_as_their_samples_and_has_no_end_mark() {
        let open = "# HELP a What is counted.\n# TYPE a counter\na_total{x=\"# TYPE y\"} 1\n\
                    # HELP b_seconds A time.\n# TYPE b_seconds gauge\n# UNIT b_seconds seconds\nb_seconds 2.5\n\
                    # HELP c A version.\n# TYPE c info\nc_info{v=\"1\"} 1\n# HELP d Any.\n# TYPE d unknown\nd 1\n# EOF\n";
        let expected = "# HELP a_total What is counted.\n# TYPE a_total counter\na_total{x=\"# TYPE y\"} 1\n\
                        # HELP b_seconds A time.\n# TYPE b_seconds gauge\nb_seconds 2.5\n\
                        # HELP c_info A version.\n# TYPE c_info gauge\nc_info{v=\"1\"} 1\n\
                        # HELP d Any.\n# TYPE d untyped\nd 1\n";
        assert_eq!(plain(open), expected);
    }
}
