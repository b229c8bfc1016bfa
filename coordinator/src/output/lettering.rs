//! Texts in pictures, in letters of a font that the program has itself: they are the same on every machine.

use std::convert::Infallible;

use embedded_graphics::mono_font::iso_8859_1::{FONT_6X10, FONT_10X20};
use embedded_graphics::mono_font::{MonoFont, MonoTextStyle};
use embedded_graphics::pixelcolor::BinaryColor;
use embedded_graphics::prelude::{DrawTarget, OriginDimensions, Point, Size};
use embedded_graphics::text::{Baseline, Text};
use embedded_graphics::{Drawable, Pixel};
use image::{Rgb, RgbImage};

const INK: Rgb<u8> = Rgb([27, 31, 36]);
/// From this width of a column on letters are large.
const WIDE: u32 = 240;

/// How texts are set: all letters are as wide.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lettering {
    font: &'static MonoFont<'static>,
}

impl Lettering {
    /// Returns what can be read in columns of a width in pixels.
    pub(crate) fn of_columns(width: u32) -> Self {
        let font = if width >= WIDE {
            &FONT_10X20
        } else {
            &FONT_6X10
        };
        Self { font }
    }

    /// Returns the height of a line in pixels.
    pub(crate) fn line_height(self) -> u32 {
        self.font.character_size.height
    }

    /// Returns a text in lines that are no wider than so many pixels: broken between words, and in a word that is longer.
    pub(crate) fn wrapped(self, text: &str, width: u32) -> Vec<String> {
        let most = (width / self.font.character_size.width).max(1) as usize;
        let mut lines: Vec<String> = Vec::new();
        for word in text.split_whitespace() {
            let letters: Vec<char> = word.chars().collect();
            for part in letters.chunks(most) {
                let part: String = part.iter().collect();
                let length = part.chars().count();
                match lines.last_mut() {
                    Some(line) if line.chars().count() + 1 + length <= most => {
                        line.push(' ');
                        line.push_str(&part);
                    }
                    Some(_) | None => lines.push(part),
                }
            }
        }
        lines
    }

    /// Writes lines of text, the upper left corner of the first letter at a place. What has no room is left out, and a
    /// question mark stands for what the font has not.
    pub(crate) fn write(self, canvas: &mut RgbImage, (left, top): (u32, u32), lines: &[String]) {
        let style = MonoTextStyle::new(self.font, BinaryColor::On);
        let mut canvas = Canvas(canvas);
        for (number, line) in lines.iter().enumerate() {
            let top = top + number as u32 * self.line_height();
            let place = Point::new(left as i32, top as i32);
            let Ok(_) = Text::with_baseline(line, place, style, Baseline::Top).draw(&mut canvas);
        }
    }
}

/// A picture that dots of letters are drawn in.
struct Canvas<'a>(&'a mut RgbImage);

impl OriginDimensions for Canvas<'_> {
    fn size(&self) -> Size {
        Size::new(self.0.width(), self.0.height())
    }
}

impl DrawTarget for Canvas<'_> {
    type Color = BinaryColor;
    type Error = Infallible;

    fn draw_iter<I>(&mut self, dots: I) -> Result<(), Infallible>
    where
        I: IntoIterator<Item = Pixel<BinaryColor>>,
    {
        for Pixel(place, dot) in dots {
            let place = u32::try_from(place.x).ok().zip(u32::try_from(place.y).ok());
            let pixel = place.and_then(|(x, y)| self.0.get_pixel_mut_checked(x, y));
            if let Some(pixel) = pixel.filter(|_| dot.is_on()) {
                *pixel = INK;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHITE: Rgb<u8> = Rgb([255; 3]);

    /// Returns the places of dots that a text has, written at a place of a small picture.
    fn dots(lettering: Lettering, place: (u32, u32), text: &str) -> Vec<(u32, u32)> {
        let mut canvas = RgbImage::from_pixel(50, 60, WHITE);
        lettering.write(&mut canvas, place, &[text.to_owned()]);
        let inked = canvas
            .enumerate_pixels()
            .filter(|(_, _, pixel)| **pixel == INK);
        inked.map(|(x, y, _)| (x, y)).collect()
    }

    #[test]
    fn a_letter_is_drawn_at_its_place_and_what_has_no_room_is_left_out() {
        let large = Lettering::of_columns(WIDE);
        assert_eq!(large.line_height(), 20);
        let letter = dots(large, (3, 5), "x");
        assert!(letter.len() > 8, "{letter:?}");
        let is_inside = |&(x, y): &(u32, u32)| (3..13).contains(&x) && (5..25).contains(&y);
        assert!(letter.iter().all(is_inside), "{letter:?}");
        let moved: Vec<(u32, u32)> = letter.iter().map(|(x, y)| (x + 10, y + 20)).collect();
        assert_eq!(dots(large, (13, 25), "x"), moved);
        let whole = dots(large, (3, 5), "xxxxx").len();
        assert!(dots(large, (3, 5), "xxxxxxxxxx").len() < 2 * whole);
        assert!(dots(large, (50, 60), "x").is_empty());
        let small = dots(Lettering::of_columns(WIDE - 1), (0, 0), "x");
        assert!(small.iter().all(|&(x, y)| x < 6 && y < 10), "{small:?}");
    }

    #[test]
    fn small_and_large_letters_differ_and_what_the_font_has_not_is_a_question_mark() {
        let drawn = |text: &str| dots(Lettering::of_columns(100), (0, 0), text);
        assert_ne!(drawn("a"), drawn("A"));
        assert_ne!(drawn("\u{e9}"), drawn("?"));
        assert_eq!(drawn("\u{4e2d}"), drawn("?"));
        assert!(drawn(" ").is_empty());
    }

    #[test]
    fn a_text_is_broken_between_words_and_in_those_that_are_too_long() {
        let small = Lettering::of_columns(60);
        assert_eq!(
            small.wrapped("method=fda, beta=0.1", 60),
            ["method=fda", ", beta=0.1"]
        );
        assert_eq!(small.wrapped("a b  c", 18), ["a b", "c"]);
        let large = Lettering::of_columns(240);
        assert_eq!(large.wrapped("abcdef", 24), ["ab", "cd", "ef"]);
        assert!(small.wrapped(" ", 60).is_empty());
    }
}
