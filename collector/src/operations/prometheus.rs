//! The Prometheus text exposition format (version 0.0.4), written by hand: a page of it is simpler than a registry.

use std::fmt::Write as _;

/// Text under construction. Every family is written once, with its help and type.
#[derive(Default)]
pub struct Exposition {
    text: String,
}

impl Exposition {
    /// Starts a family: `counter`, `gauge` or `histogram`.
    pub fn family(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(
            self.text,
            "# HELP {name} {}\n# TYPE {name} {kind}",
            help.replace('\n', " ")
        );
    }

    /// One sample. Non-finite values are written as Prometheus spells them.
    pub fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: f64) {
        self.text.push_str(name);
        for (at, (key, value)) in labels.iter().enumerate() {
            let open = if at == 0 { '{' } else { ',' };
            let value = value
                .replace('\\', "\\\\")
                .replace('"', "\\\"")
                .replace('\n', "\\n");
            let _ = write!(self.text, "{open}{key}=\"{value}\"");
        }
        if !labels.is_empty() {
            self.text.push('}');
        }
        let value = match value {
            value if value.is_nan() => "NaN".to_owned(),
            f64::INFINITY => "+Inf".to_owned(),
            f64::NEG_INFINITY => "-Inf".to_owned(),
            value => value.to_string(),
        };
        let _ = writeln!(self.text, " {value}");
    }

    /// A family of one sample without labels.
    pub fn single(&mut self, name: &str, kind: &str, help: &str, value: f64) {
        self.family(name, kind, help);
        self.sample(name, &[], value);
    }

    /// The text.
    pub fn finish(self) -> String {
        self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_escaped_and_values_spelled_as_prometheus_does() {
        let mut text = Exposition::default();
        text.family("a_total", "counter", "Things.");
        text.sample("a_total", &[("k", "a\"b\\c\nd"), ("l", "x")], 5.0);
        text.single("g", "gauge", "A gauge.", f64::INFINITY);
        assert_eq!(
            text.finish(),
            "# HELP a_total Things.\n# TYPE a_total counter\na_total{k=\"a\\\"b\\\\c\\nd\",l=\"x\"} 5\n# HELP g A gauge.\n# TYPE g gauge\ng +Inf\n"
        );
    }
}
