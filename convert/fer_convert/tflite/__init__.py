"""TFLite files: conversion with TensorFlow, flatbuffers, metadata, and appended files."""
