# The pages, the style and the script of the reports (cli/report/) as C strings, and the script's
# hash for the pages' content security policy: sets FGPU_REPORT_TEXTS to a generated C file that
# belongs to the sources of the command. As a script (cmake -DOUT=... -DDIR=... -P) it writes it.

if(CMAKE_SCRIPT_MODE_FILE)
  set(digits ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/)
  # The 64 digits of a SHA-256 as base64: three of them are two letters, and one is left over.
  function(base64 out hex)
    set(text "")
    foreach(first RANGE 0 60 3)
      string(SUBSTRING "${hex}" ${first} 3 three)
      math(EXPR high "0x${three} >> 6")
      math(EXPR low "0x${three} & 63")
      string(SUBSTRING ${digits} ${high} 1 high)
      string(SUBSTRING ${digits} ${low} 1 low)
      string(APPEND text ${high}${low})
    endforeach()
    string(SUBSTRING "${hex}" 63 1 one)
    math(EXPR last "0x${one} << 2")
    string(SUBSTRING ${digits} ${last} 1 last)
    set(${out} "${text}${last}=" PARENT_SCOPE)
  endfunction()

  set(entries "")
  foreach(kind html css js timeline sim)
    if(kind MATCHES "^(timeline|sim)$")
      file(READ ${DIR}/${kind}.html text)
    else()
      file(READ ${DIR}/report.${kind} text)
    endif()
    if(kind STREQUAL js)
      string(SHA256 hash "${text}")
      base64(hash ${hash})
    endif()
    string(REPLACE "\\" "\\\\" text "${text}")
    string(REPLACE "\"" "\\\"" text "${text}")
    string(REPLACE "\n" "\\n\"\n    \"" text "${text}")
    string(APPEND entries "const char report_${kind}[] =\n    \"${text}\";\n\n")
  endforeach()
  file(WRITE ${OUT} "/* Made from cli/report/ by cli/report/report.cmake. */\n"
    "#include \"cli/report/report_page.h\"\n\n${entries}"
    "const char report_js_sha256[] = \"${hash}\";\n")
  return()
endif()

set(FGPU_REPORT_TEXTS ${CMAKE_BINARY_DIR}/cli/report_text_files.c)
set(report_files ${CMAKE_CURRENT_LIST_DIR}/report.html
  ${CMAKE_CURRENT_LIST_DIR}/timeline.html ${CMAKE_CURRENT_LIST_DIR}/sim.html
  ${CMAKE_CURRENT_LIST_DIR}/report.css ${CMAKE_CURRENT_LIST_DIR}/report.js)
add_custom_command(OUTPUT ${FGPU_REPORT_TEXTS}
  COMMAND ${CMAKE_COMMAND} -DOUT=${FGPU_REPORT_TEXTS} -DDIR=${CMAKE_CURRENT_LIST_DIR}
    -P ${CMAKE_CURRENT_LIST_DIR}/report.cmake
  DEPENDS ${report_files} ${CMAKE_CURRENT_LIST_DIR}/report.cmake
  COMMENT "Embedding the page of the report" VERBATIM)
