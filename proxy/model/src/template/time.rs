//! Formats of points in time.

/// A format of a point in time in UTC, written as for `strftime`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimeFormat {
    parts: Vec<TimePart>,
}

/// A piece of a time format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TimePart {
    /// Text that comes out as it is.
    Literal(Box<str>),
    /// `%Y`: four digits.
    Year,
    /// `%m`: two digits.
    Month,
    /// `%b`: `Jan`.
    MonthName,
    /// `%d`: two digits.
    Day,
    /// `%a`: `Mon`.
    WeekdayName,
    /// `%H`: two digits, 00 to 23.
    Hour,
    /// `%M`: two digits.
    Minute,
    /// `%S`: two digits.
    Second,
    /// `%3f`, `%6f`, `%9f` (and `%f`, nine): so many digits of the fraction of a second.
    Fraction(u8),
    /// `%s`: whole seconds since 1970; `%3s` milliseconds, `%6s` microseconds, `%9s` nanoseconds.
    Unix(u8),
}

impl TimeFormat {
    /// In order; `%F` and `%T` are already taken apart.
    pub fn parts(&self) -> &[TimePart] {
        &self.parts
    }
}
