//! Field names that the proxy treats specially, classified once while a head is indexed.

/// Declares [`Known`] from one table: the names by length, so that classifying is a jump and one or two comparisons.
macro_rules! known {
    ($($len:literal { $($variant:ident = $name:literal,)+ })+) => {
        /// What a field name means to a proxy. Classified once, case-insensitively, so that whatever looks for a field
        /// later compares a tag instead of bytes.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum Known {
            /// Any other name.
            Other,
            $($(
                #[doc = concat!("`", $name, "`")]
                $variant,
            )+)+
        }

        impl Known {
            /// Every named one, [`Known::Other`] left out.
            pub const ALL: &[Self] = &[$($(Self::$variant,)+)+];

            /// Classifies a field name. `name` must be a token (RFC 9110 section 5.6.2); case does not matter.
            #[inline]
            pub fn of(name: &[u8]) -> Self {
                match name.len() {
                    $($len => {
                        let Ok(name) = <&[u8; $len]>::try_from(name) else { return Self::Other };
                        $(if same(name, $name.as_bytes()) {
                            return Self::$variant;
                        })+
                        Self::Other
                    })+
                    _ => Self::Other,
                }
            }

            /// The lower-case name; empty for [`Known::Other`].
            pub const fn name(self) -> &'static str {
                match self {
                    Self::Other => "",
                    $($(Self::$variant => $name,)+)+
                }
            }
        }
    };
}

known! {
    2 { Te = "te", }
    3 { Via = "via", }
    4 { Host = "host", Date = "date", }
    6 { Cookie = "cookie", Server = "server", Expect = "expect", Accept = "accept", Origin = "origin", }
    7 { Upgrade = "upgrade", Trailer = "trailer", }
    8 { Location = "location", }
    9 { Forwarded = "forwarded", }
    10 { Connection = "connection", KeepAlive = "keep-alive", UserAgent = "user-agent", SetCookie = "set-cookie", }
    12 { ContentType = "content-type", XRequestId = "x-request-id", }
    13 {
        Authorization = "authorization",
        CacheControl = "cache-control",
        ContentRange = "content-range",
    }
    14 { ContentLength = "content-length", Http2Settings = "http2-settings", }
    15 { XForwardedFor = "x-forwarded-for", AcceptEncoding = "accept-encoding", }
    16 {
        ProxyConnection = "proxy-connection",
        ContentEncoding = "content-encoding",
        XForwardedHost = "x-forwarded-host",
        XForwardedPort = "x-forwarded-port",
    }
    17 { TransferEncoding = "transfer-encoding", XForwardedProto = "x-forwarded-proto", }
    19 { ProxyAuthorization = "proxy-authorization", }
}

/// Case-insensitive equality with a lower-case name. Setting bit 5 folds letters and, among token bytes, can make
/// nothing else equal to a letter, a digit or a dash. The first byte nearly always decides.
#[inline(always)]
fn same<const N: usize>(name: &[u8; N], lower: &[u8]) -> bool {
    let (Some(first), Some(expected)) = (name.first(), lower.first()) else { return false };
    first | 0x20 == *expected && differences(name, lower) == 0
}

/// The bits in which they differ: eight bytes at a time, the last eight perhaps twice.
#[inline(always)]
fn differences(name: &[u8], lower: &[u8]) -> u64 {
    const FOLD: u64 = 0x2020_2020_2020_2020;
    let (words, _) = name.as_chunks::<8>();
    let (lower_words, _) = lower.as_chunks::<8>();
    let mut bits = 0;
    for (word, expected) in words.iter().zip(lower_words) {
        bits |= (u64::from_le_bytes(*word) | FOLD) ^ u64::from_le_bytes(*expected);
    }
    match (name.last_chunk::<8>(), lower.last_chunk::<8>()) {
        (Some(word), Some(expected)) => {
            bits | ((u64::from_le_bytes(*word) | FOLD) ^ u64::from_le_bytes(*expected))
        }
        _ => name
            .iter()
            .zip(lower)
            .fold(bits, |bits, (byte, expected)| bits | u64::from((byte | 0x20) ^ expected)),
    }
}

impl Known {
    /// May not come as a trailer, or is not merged from one (RFC 9110 section 6.5.1): framing, routing, request
    /// modifiers, authentication, content format.
    pub const fn forbidden_in_trailers(self) -> bool {
        const FORBIDDEN: KnownSet = KnownSet::of(&[
            Known::Te,
            Known::Host,
            Known::Cookie,
            Known::Expect,
            Known::Upgrade,
            Known::Trailer,
            Known::Location,
            Known::Forwarded,
            Known::Connection,
            Known::KeepAlive,
            Known::SetCookie,
            Known::ContentType,
            Known::Authorization,
            Known::CacheControl,
            Known::ContentRange,
            Known::ContentLength,
            Known::Http2Settings,
            Known::XForwardedFor,
            Known::ProxyConnection,
            Known::ContentEncoding,
            Known::XForwardedHost,
            Known::XForwardedPort,
            Known::TransferEncoding,
            Known::XForwardedProto,
            Known::ProxyAuthorization,
        ]);
        FORBIDDEN.contains(self)
    }
}

/// A set of [`Known`] names. [`Known::Other`] can be a member and means "some name that is not in the table".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct KnownSet(u64);

impl KnownSet {
    /// The empty set.
    pub const EMPTY: Self = Self(0);

    /// The set of `members`.
    pub const fn of(members: &[Known]) -> Self {
        let mut bits = 0;
        let mut index = 0;
        while index < members.len() {
            bits |= 1 << members[index] as u8;
            index += 1;
        }
        Self(bits)
    }

    /// Whether `known` is a member.
    #[inline]
    pub const fn contains(self, known: Known) -> bool {
        self.0 & (1 << known as u8) != 0
    }

    /// Whether the sets have a member in common.
    #[inline]
    pub const fn intersects(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Whether there is no member.
    #[inline]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Adds a member.
    #[inline]
    pub fn insert(&mut self, known: Known) {
        self.0 |= 1 << known as u8;
    }
}
