//! Bugs put in on purpose, so that the checks can prove that they would find them.
//!
//! A build with the feature `seeded-bugs`, which nobody is given, has the one that `PERFREG_SEEDED_BUG` names. In any
//! other build each of the questions is answered with no when it is compiled, and nothing of them is left.

/// One bug; `chaos/run --seeded-bug` and `scripts/seeded-bugs` know what finds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bug {
    /// What is in use is read before the location is locked.
    SumBeforeLock,
    /// It is the sum of the runs, as they were when a REPEATABLE READ transaction began.
    SumRepeatableRead,
    /// Floats add it up.
    FloatSums,
    /// Only the first registration of a batch is weighed.
    BatchIgnoresItself,
    /// A location's row is not written when runs only end there.
    LostLocationRow,
    /// Completing again gives the share back again.
    DoubleRelease,
    /// Whoever was lost is still believed.
    FenceUnchecked,
    /// What expires is judged by the clock of the server that looks.
    ExpiryByServerClock,
    /// What expires is judged by when the transaction began, which may have waited for its lock since.
    ExpiryByTransactionStart,
    /// Answers are given when the commit is sent.
    AcknowledgementBeforeCommit,
    /// A commit that stopped waiting for its standby counts.
    AcknowledgementOnWarning,
    /// First answers are saved after the commit.
    KeyOutsideTransaction,
    /// What an earlier attempt at a transaction may have saved is not looked for.
    RetryStartsAgain,
    /// Whoever waits is not woken.
    LostWakeUp,
    /// What is no number counts as nothing.
    NanAsZero,
    /// A start that was told is withdrawn as if it was not.
    ToldStartWithdrawn,
}

impl Bug {
    pub const ALL: [Self; 16] = [
        Self::SumBeforeLock,
        Self::SumRepeatableRead,
        Self::FloatSums,
        Self::BatchIgnoresItself,
        Self::LostLocationRow,
        Self::DoubleRelease,
        Self::FenceUnchecked,
        Self::ExpiryByServerClock,
        Self::ExpiryByTransactionStart,
        Self::AcknowledgementBeforeCommit,
        Self::AcknowledgementOnWarning,
        Self::KeyOutsideTransaction,
        Self::RetryStartsAgain,
        Self::LostWakeUp,
        Self::NanAsZero,
        Self::ToldStartWithdrawn,
    ];

    /// The name by which it is asked for.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SumBeforeLock => "sum-before-lock",
            Self::SumRepeatableRead => "sum-repeatable-read",
            Self::FloatSums => "float-sums",
            Self::BatchIgnoresItself => "batch-ignores-itself",
            Self::LostLocationRow => "lost-location-row",
            Self::DoubleRelease => "double-release",
            Self::FenceUnchecked => "fence-unchecked",
            Self::ExpiryByServerClock => "expiry-by-server-clock",
            Self::ExpiryByTransactionStart => "expiry-by-transaction-start",
            Self::AcknowledgementBeforeCommit => "acknowledgement-before-commit",
            Self::AcknowledgementOnWarning => "acknowledgement-on-warning",
            Self::KeyOutsideTransaction => "key-outside-transaction",
            Self::RetryStartsAgain => "retry-starts-again",
            Self::LostWakeUp => "lost-wake-up",
            Self::NanAsZero => "nan-as-zero",
            Self::ToldStartWithdrawn => "told-start-withdrawn",
        }
    }
}

/// Whether this program has the bug.
#[cfg(not(feature = "seeded-bugs"))]
#[must_use]
pub const fn is(_: Bug) -> bool {
    false
}

/// Whether this program has the bug.
///
/// # Panics
/// If there is no bug by the name that was asked for.
#[cfg(feature = "seeded-bugs")]
#[must_use]
pub fn is(bug: Bug) -> bool {
    static CHOSEN: std::sync::OnceLock<Option<Bug>> = std::sync::OnceLock::new();
    let choose = || {
        let name = std::env::var("PERFREG_SEEDED_BUG").ok()?;
        let named = Bug::ALL.into_iter().find(|bug| bug.as_str() == name);
        Some(
            named.unwrap_or_else(|| panic!("there is no seeded bug {name}; there are {:?}", Bug::ALL.map(Bug::as_str))),
        )
    };
    *CHOSEN.get_or_init(choose) == Some(bug)
}

/// A sum of millionths as floats would have it.
#[must_use]
#[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "that is the bug")]
pub fn float_sum(one: i64, other: i64) -> i64 {
    ((one as f64 / 1e6 + other as f64 / 1e6) * 1e6) as i64
}
