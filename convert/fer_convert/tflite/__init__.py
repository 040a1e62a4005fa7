"""TFLite files: TensorFlow's converter, the flatbuffer, and the files appended to it."""
