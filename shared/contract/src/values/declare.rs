//! Macros that declare a value once: its type, its parse rule and its OpenAPI schema, with the limits written in one
//! place.

/// Declares types of single-line or multi-line text: `Name = single_line(1..=255);`
macro_rules! text_values {
    ($($(#[doc = $doc:literal])+ $name:ident = $rule:ident($min:literal..=$max:literal) $(, example $example:literal)?;)+) => {$(
        $(#[doc = $doc])+
        #[derive(Clone, Debug, Eq, PartialEq, serde::Serialize)]
        pub struct $name(String);

        impl $name {
            /// Maximum length in characters.
            pub const MAX_LENGTH: usize = $max;
        }

        impl $crate::FieldValue for $name {
            fn parse(json: &serde_json::value::RawValue) -> Result<Self, String> {
                $crate::values::parse::$rule(json, $min..=$max).map(Self)
            }

            fn placeholder() -> Self {
                Self(String::new())
            }
        }

        $crate::values::declare::text_access!($name);
        $crate::values::declare::named_schema!(
            $name, [$($doc),+], $crate::values::schema::$rule($min..=$max, &[$($example)?])
        );
    )+};
}

/// Declares types of ASCII text with a character class: `ChannelCode = code(2..=40, "", "A-Z0-9_"), example "QRIS", "must be …";`
///
/// The second argument is an optional prefix, the third a character class as in a regular expression, the last one the
/// error.
macro_rules! code_values {
    ($(
        $(#[doc = $doc:literal])+
        $name:ident = code($min:literal..=$max:literal, $prefix:literal, $class:literal),
        example $example:literal, $detail:literal;
    )+) => {$(
        $(#[doc = $doc])+
        #[derive(Clone, Eq, PartialEq, serde::Serialize)]
        pub struct $name(String);

        impl $crate::FieldValue for $name {
            fn parse(json: &serde_json::value::RawValue) -> Result<Self, String> {
                $crate::values::parse::code(json, $min..=$max, $prefix, $class, $detail).map(Self)
            }

            fn placeholder() -> Self {
                Self(String::new())
            }
        }

        $crate::values::declare::text_access!($name);
        $crate::values::declare::named_schema!(
            $name, [$($doc),+], $crate::values::schema::code($min..=$max, $prefix, $class, $example)
        );
    )+};
}

/// Declares types of exact decimal numbers: `Amount = decimal(dec!(0.01)..=dec!(100), 2), example "5";` The second
/// argument is the maximum number of decimal places.
macro_rules! decimal_values {
    ($($(#[doc = $doc:literal])+ $name:ident = decimal($range:expr, $scale:literal), example $example:literal;)+) => {$(
        $(#[doc = $doc])+
        #[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, serde::Serialize)]
        pub struct $name(rust_decimal::Decimal);

        impl $name {
            /// Returns the value, or `None` if it is out of range or has too many decimal places.
            pub fn new(value: rust_decimal::Decimal) -> Option<Self> {
                let is_valid = ($range).contains(&value) && value.normalize().scale() <= $scale;
                is_valid.then(|| Self(value.normalize()))
            }

            pub fn get(self) -> rust_decimal::Decimal {
                self.0
            }
        }

        impl $crate::FieldValue for $name {
            fn parse(json: &serde_json::value::RawValue) -> Result<Self, String> {
                $crate::values::parse::decimal(json, &($range), $scale).map(Self)
            }

            fn placeholder() -> Self {
                Self(rust_decimal::Decimal::ZERO)
            }
        }

        $crate::values::declare::named_schema!(
            $name, [$($doc),+], $crate::values::schema::decimal(&($range), $scale, $example)
        );
    )+};
}

/// Declares enums of words: `Exchange { Binance = "binance", Bybit = "bybit" }`
macro_rules! word_values {
    ($($(#[doc = $doc:literal])+ $name:ident { $($(#[doc = $variant_doc:literal])* $variant:ident = $word:literal,)+ })+) => {$(
        $(#[doc = $doc])+
        #[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
        pub enum $name {
            $($(#[doc = $variant_doc])* $variant,)+
        }

        impl $name {
            pub const ALL: &[Self] = &[$(Self::$variant),+];
            const WORDS: &[&str] = &[$($word),+];

            /// Word in JSON.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                }
            }

            /// Value with this word.
            pub fn from_word(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|value| value.as_str() == word)
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl $crate::FieldValue for $name {
            fn parse(json: &serde_json::value::RawValue) -> Result<Self, String> {
                let index = $crate::values::parse::word(json, Self::WORDS)?;
                Ok(Self::ALL.get(index).copied().unwrap_or_else(Self::placeholder))
            }

            fn placeholder() -> Self {
                let [first, ..] = [$(Self::$variant),+];
                first
            }
        }

        $crate::values::declare::named_schema!(
            $name, [$($doc),+], serde_json::json!({ "type": "string", "enum": $name::WORDS })
        );
    )+};
}

/// Implements the accessors of a type of text.
macro_rules! text_access {
    ($name:ident) => {
        impl $name {
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> Self {
                value.0
            }
        }
    };
}

/// Implements the schema of a type, to which fields refer by the type's name.
macro_rules! named_schema {
    ($name:ident, [$($doc:literal),+], $schema:expr) => {
        #[cfg(feature = "openapi")]
        impl utoipa::PartialSchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
                $crate::schema::described($schema, &[$($doc),+])
            }
        }

        #[cfg(feature = "openapi")]
        impl utoipa::ToSchema for $name {}

        #[cfg(feature = "openapi")]
        impl $crate::schema::FieldSchema for $name {
            fn field_schema() -> serde_json::Value {
                $crate::schema::reference::<Self>()
            }

            fn add_schemas(schemas: &mut $crate::schema::Schemas) {
                $crate::schema::add_named::<Self>(schemas);
            }
        }
    };
}

pub(crate) use {code_values, decimal_values, named_schema, text_access, text_values, word_values};
