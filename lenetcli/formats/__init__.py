"""Files of other tools, read as plain data: arrays, numbers, text, lists and dictionaries. Nothing in them is run.

pickle_subset   the pickle stream, by an allow-list of opcodes and names
torch_names     what the allowed names of torch's pickles stand for
torch_file      which of torch's formats a file has, and what it holds
torch_zip       the zip format of torch 1.6 and later, read and written
zip_contents    the large members of a zip, read by several threads and checked
torch_legacy    the stacked pickles of before
"""
