//! Which of the waiters goes first.

/// 0 to 9; the larger goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Priority(u8);

impl Priority {
    pub const LARGEST: u8 = 9;
    pub const DEFAULT: Self = Self(5);

    #[must_use]
    pub const fn new(priority: u8) -> Option<Self> {
        if priority <= Self::LARGEST { Some(Self(priority)) } else { None }
    }

    #[must_use]
    pub const fn get(self) -> u8 {
        self.0
    }
}
