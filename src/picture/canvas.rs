//! A picture in memory, letters and boxes on it, and how it is written as PNG. What is drawn is not known here.

use std::convert::Infallible;

use embedded_graphics::mono_font::{MonoFont, MonoTextStyle};
use embedded_graphics::pixelcolor::Rgb888;
use embedded_graphics::prelude::{Dimensions, DrawTarget, Drawable, OriginDimensions, Pixel, Point, RgbColor, Size};
use embedded_graphics::primitives::{Primitive, PrimitiveStyle, Rectangle};
use embedded_graphics::text::{Alignment, Baseline, Text, TextStyle, TextStyleBuilder};

/// A picture of so many pixels, white at first.
pub(super) struct Canvas {
    size: Size,
    /// Red, green and blue of each pixel, line by line.
    bytes: Vec<u8>,
}

/// Where letters begin: at the left, in the middle, or at the right of the point.
pub(super) type Align = Alignment;

impl Canvas {
    pub(super) fn new(width: u32, height: u32) -> Self {
        let bytes = usize::try_from(u64::from(width) * u64::from(height) * 3).unwrap_or(0);
        Self { size: Size::new(width, height), bytes: vec![0xff; bytes] }
    }

    /// A filled box; one without width or height is nothing.
    pub(super) fn fill(&mut self, (left, top): (i32, i32), (width, height): (i32, i32), colour: Rgb888) {
        let size = Size::new(u32::try_from(width).unwrap_or(0), u32::try_from(height).unwrap_or(0));
        let Ok(()) =
            Rectangle::new(Point::new(left, top), size).into_styled(PrimitiveStyle::with_fill(colour)).draw(self);
    }

    /// Letters in one line; `at` is at their top. What the font does not have is `?`.
    pub(super) fn write(&mut self, text: &str, at: (i32, i32), font: &MonoFont<'_>, colour: Rgb888, align: Align) {
        let style: TextStyle = TextStyleBuilder::new().alignment(align).baseline(Baseline::Top).build();
        let Ok(_) =
            Text::with_text_style(text, Point::new(at.0, at.1), MonoTextStyle::new(font, colour), style).draw(self);
    }

    /// As PNG.
    ///
    /// # Errors
    /// The encoder's, which writes into memory and has none for a picture with pixels.
    pub(super) fn png(&self) -> Result<Vec<u8>, png::EncodingError> {
        let mut out = Vec::new();
        let mut encoder = png::Encoder::new(&mut out, self.size.width, self.size.height);
        encoder.set_color(png::ColorType::Rgb);
        encoder.set_depth(png::BitDepth::Eight);
        let mut writer = encoder.write_header()?;
        writer.write_image_data(&self.bytes)?;
        writer.finish()?;
        Ok(out)
    }
}

impl OriginDimensions for Canvas {
    fn size(&self) -> Size {
        self.size
    }
}

impl DrawTarget for Canvas {
    type Color = Rgb888;
    type Error = Infallible;

    fn draw_iter<I: IntoIterator<Item = Pixel<Rgb888>>>(&mut self, pixels: I) -> Result<(), Infallible> {
        let inside = self.bounding_box();
        for Pixel(point, colour) in pixels {
            if !inside.contains(point) {
                continue;
            }
            let (Ok(x), Ok(y)) = (usize::try_from(point.x), usize::try_from(point.y)) else { continue };
            let at = (y * self.size.width as usize + x) * 3;
            if let Some(room) = self.bytes.get_mut(at..at + 3) {
                room.copy_from_slice(&[colour.r(), colour.g(), colour.b()]);
            }
        }
        Ok(())
    }
}
