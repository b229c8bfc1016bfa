#![no_main]

use corpus::targets::Target;

fuzz::target!(Target::Settings);
