//! Enums without fields that know their variants.

/// Defines an enum without fields, and `ALL`: its variants in the order in which they stand.
///
/// A variant that is added is in `ALL` by itself, so nothing that goes over it can leave one out.
#[macro_export]
macro_rules! enumerated {
    (
        $(#[$meta:meta])*
        $vis:vis enum $name:ident {
            $($(#[$of_variant:meta])* $variant:ident),* $(,)?
        }
    ) => {
        $(#[$meta])*
        $vis enum $name {
            $($(#[$of_variant])* $variant,)*
        }

        impl $name {
            /// Every variant, in the order in which they stand.
            $vis const ALL: [Self; [$(stringify!($variant)),*].len()] = [$(Self::$variant),*];
        }
    };
}

#[cfg(test)]
mod tests {
    enumerated! {
        #[derive(Debug, PartialEq)]
        enum Light {
            Green,
            Red,
        }
    }

    #[test]
    fn all_variants_are_there_in_their_order() {
        assert_eq!(Light::ALL, [Light::Green, Light::Red]);
    }
}
