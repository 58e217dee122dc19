//! Who would use a registry, and names that nobody would choose.

use perfreg::domain::capacity::factor::Factor;
use perfreg::domain::capacity::location::LocationName;
use perfreg::domain::execution::Details;

/// A test that comes again and again.
pub struct Profile {
    test: &'static str,
    kind: &'static str,
    repo: &'static str,
    stream: &'static str,
    environment: &'static str,
    by: &'static str,
    location: &'static str,
    factor: &'static str,
    /// How long it usually runs.
    pub minutes: i64,
}

macro_rules! profiles {
    ($([$test:literal, $kind:literal, $repo:literal, $stream:literal, $environment:literal, $by:literal, $location:literal,
        $factor:literal, $minutes:literal])+) => {
        &[$(Profile { test: $test, kind: $kind, repo: $repo, stream: $stream, environment: $environment, by: $by,
                      location: $location, factor: $factor, minutes: $minutes }),+]
    };
}

pub const PROFILES: &[Profile] = profiles! {
    ["checkout-peak", "load", "shop", "main", "stage", "nightly", "azure-k8s", "0.35", 45]
    ["suggest-stress", "stress", "search", "release/26.11", "stage", "ci-search", "azure-k8s", "0.5", 40]
    ["login-spike", "spike", "login", "main", "stage", "mira", "azure-k8s", "0.3", 15]
    ["cart-smoke", "smoke", "shop", "feature/cart-v3", "stage", "ci-shop", "azure-k8s", "0.1", 8]
    ["gateway-baseline", "baseline", "gateway", "main", "stage", "nightly", "azure-k8s", "0.2", 30]
    ["invoices-month-end", "soak", "billing", "main", "preprod", "tomas", "onprem-vm", "0.25", 360]
    ["refunds-load", "load", "payments", "main", "preprod", "ci-payments", "onprem-vm", "0.4", 50]
    ["import-endurance", "endurance", "catalogue", "main", "preprod", "noor", "onprem-vm", "0.6", 180]
    ["gateway-baseline", "baseline", "gateway", "main", "preprod", "nightly", "onprem-vm", "0.2", 30]
    ["transcode-soak", "soak", "media", "main", "preprod", "kei", "aws-eu", "1.2", 600]
    ["reindex-load", "load", "search", "release/26.11", "preprod", "ci-search", "aws-eu", "0.8", 90]
    ["push-burst", "spike", "mobile", "main", "preprod", "ci-mobile", "aws-eu", "0.15", 12]
    ["search-canary", "load", "search", "main", "preprod", "noor", "aws-eu", "0.5", 60]
    ["cart-smoke", "smoke", "shop", "main", "preprod", "ci-shop", "aws-eu", "0.1", 8]
    ["kernel-baseline", "baseline", "kernel", "main", "lab", "ops", "lab-2", "0.3", 45]
    ["fio-endurance", "endurance", "storage", "main", "lab", "tomas", "lab-2", "0.5", 120]
};

pub fn profile(test: &str, location: &str) -> &'static Profile {
    let is_meant = |profile: &&Profile| profile.test == test && profile.location == location;
    PROFILES.iter().find(is_meant).expect("one of the profiles")
}

impl Profile {
    pub fn details(&self) -> Details {
        Details {
            repo: self.repo.to_owned(),
            lac: "default".to_owned(),
            stream: self.stream.to_owned(),
            test: self.test.to_owned(),
            kind: self.kind.to_owned(),
            environment: self.environment.to_owned(),
            triggered_by: self.by.to_owned(),
            factor: Some(Factor::parse(self.factor).expect("a factor")),
            dashboard_url: Some(format!("https://grafana.example.com/d/{}", self.test)),
            location: Some(LocationName::new(self.location)),
            extra: format!(r#"{{"build":"{}-4711","tickets":["PERF-12"]}}"#, self.repo),
        }
    }
}

/// Long ones that cannot be broken, others from right to left, wide, of one letter, of markup, and with characters that turn
/// around what stands beside them.
pub fn hostile_names() -> Vec<String> {
    [
        &"x".repeat(255),
        &"WIDE".repeat(63),
        &"压测集群".repeat(60),
        &"اختبار الحمل ".repeat(19),
        "\u{202e}evil\u{202c} or live",
        "\u{2066}isolated",
        "<script>alert(1)</script>&amp;\"'",
        "<b>bold</b><img src=x onerror=alert(1)>",
        "👩‍👩‍👧‍👦🏳️‍🌈🇩🇪🚀🚀🚀🚀",
        "Z̷̛̲a̸l̵g̶o̷",
        "a/b?c#d%2F%00",
        "..",
        "é",
        "1",
    ]
    .map(str::to_owned)
    .into()
}
