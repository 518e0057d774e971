//! Declaration of a request: each field once, with its type, default and description.

use chrono::{DateTime, Utc};
use nofomo_json::{boolean, typed};
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::ObjectReader;
use crate::values::parse;

/// Value of a field.
pub trait FieldValue: Sized {
    /// Parses the JSON of the field.
    ///
    /// # Errors
    ///
    /// A phrase that says what the value must be.
    fn parse(json: &RawValue) -> Result<Self, String>;

    /// Placeholder for a value that is missing or invalid, until [`ObjectReader::finish`] returns the errors.
    fn placeholder() -> Self;
}

/// Field of a request: required, or an `Option`.
pub trait RequestField: Sized {
    fn read(reader: &mut ObjectReader<'_>, name: &str) -> Self;
}

impl<V: FieldValue> RequestField for V {
    fn read(reader: &mut ObjectReader<'_>, name: &str) -> Self {
        reader.required(name)
    }
}

impl<V: FieldValue> RequestField for Option<V> {
    fn read(reader: &mut ObjectReader<'_>, name: &str) -> Self {
        reader.optional(name)
    }
}

/// JSON object that a client sends.
pub trait RequestBody: Sized {
    /// Reads the fields. A field with an error has a placeholder.
    fn read(reader: &mut ObjectReader<'_>) -> Self;

    /// Checks the rules between fields.
    fn check(&self, reader: &mut ObjectReader<'_>);
}

impl FieldValue for bool {
    fn parse(json: &RawValue) -> Result<Self, String> {
        boolean(json)
    }

    fn placeholder() -> Self {
        false
    }
}

impl FieldValue for Uuid {
    fn parse(json: &RawValue) -> Result<Self, String> {
        typed(json, "must be a UUID")
    }

    fn placeholder() -> Self {
        Self::nil()
    }
}

impl FieldValue for DateTime<Utc> {
    fn parse(json: &RawValue) -> Result<Self, String> {
        parse::time(json)
    }

    fn placeholder() -> Self {
        Self::UNIX_EPOCH
    }
}

/// Declares the body of a request. The declaration expands to the struct, its reader and its OpenAPI schema:
///
/// ```text
/// request! {
///     /// Description of the schema.
///     pub struct NewThing {
///         /// Description of the field.
///         pub name: Name,                    required
///         pub note: Option<Message>,         may be absent or null
///         pub is_active: bool = true,        has a default
///     }
///     check NewThing::check_fields           rules between fields, if there are any
/// }
/// ```
macro_rules! request {
    (
        $(#[doc = $doc:literal])+
        pub struct $name:ident {
            $($(#[doc = $field_doc:literal])* pub $field:ident: $type:ty $(= $default:expr)?,)+
        }
        $(check $check:path)?
    ) => {
        $(#[doc = $doc])+
        #[derive(Clone, serde::Serialize)]
        pub struct $name {
            $($(#[doc = $field_doc])* $(#[doc = concat!("\n\nDefault: `", stringify!($default), "`.")])? pub $field: $type,)+
        }

        impl $crate::RequestBody for $name {
            fn read(reader: &mut $crate::ObjectReader<'_>) -> Self {
                Self { $($field: request!(@read reader, $field, $type $(, $default)?),)+ }
            }

            #[allow(unused_variables, reason = "not every request has rules between fields")]
            fn check(&self, reader: &mut $crate::ObjectReader<'_>) {
                $($check(self, reader);)?
            }
        }

        #[cfg(feature = "openapi")]
        impl utoipa::PartialSchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
                $crate::schema::object(
                    &[$($doc),+],
                    vec![$(request!(@property $field, [$($field_doc),*], $type $(, $default)?)),+],
                )
            }
        }

        #[cfg(feature = "openapi")]
        impl utoipa::ToSchema for $name {
            fn schemas(schemas: &mut Vec<(String, utoipa::openapi::RefOr<utoipa::openapi::Schema>)>) {
                $(<$type as $crate::schema::FieldSchema>::add_schemas(schemas);)+
            }
        }
    };
    (@read $reader:ident, $field:ident, $type:ty) => {
        <$type as $crate::RequestField>::read($reader, stringify!($field))
    };
    (@read $reader:ident, $field:ident, $type:ty, $default:expr) => {
        $reader.optional::<$type>(stringify!($field)).unwrap_or($default)
    };
    (@property $field:ident, [$($doc:literal),*], $type:ty) => {
        $crate::schema::property::<$type>(stringify!($field), &[$($doc),*])
    };
    (@property $field:ident, [$($doc:literal),*], $type:ty, $default:expr) => {
        $crate::schema::property_with_default::<$type>(stringify!($field), &[$($doc),*], &$default)
    };
}

pub(crate) use request;
