"""TFLite files: conversion, flatbuffers, metadata, and appended files."""
