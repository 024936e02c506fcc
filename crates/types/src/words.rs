//! Enums that are words in rows, files and the API: one macro for all of them.

/// A text that is none of the words it should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no {what}: one of {}", words.join(", "))]
pub struct UnknownWord {
    /// What was looked for.
    pub what: &'static str,
    /// What it could have been.
    pub words: &'static [&'static str],
    /// What was found.
    pub text: String,
}

/// Declares them: the enum, `ALL`, `as_str`, and the way back from the word.
#[macro_export]
macro_rules! words {
    ($($(#[$doc:meta])* $name:ident ($what:expr) { $($(#[$vdoc:meta])* $variant:ident = $text:literal,)* })*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        pub enum $name { $($(#[$vdoc])* #[serde(rename = $text)] $variant,)* }

        impl $name {
            /// Every one.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The word that rows, files and the API use.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),* }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::words::UnknownWord;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::ALL.iter().copied().find(|w| w.as_str() == text)
                    .ok_or_else(|| $crate::words::UnknownWord { what: $what, words: &[$($text),*], text: text.to_owned() })
            }
        }

        impl utoipa::PartialSchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
                $crate::schema::word(Self::ALL.iter().map(|w| w.as_str()))
            }
        }

        impl utoipa::ToSchema for $name {}
    )*};
}
