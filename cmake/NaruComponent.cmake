# naru_component(NAME SOURCES ... [PUBLIC libs] [PRIVATE libs]): one static, position-independent target with its own include path.
# A component sees only the include paths of the components it links, so a wrong include does not compile.
function(naru_component name)
  cmake_parse_arguments(ARG "" "" "SOURCES;PUBLIC;PRIVATE" ${ARGN})
  add_library(naru_${name} STATIC ${ARG_SOURCES})
  add_library(naru::${name} ALIAS naru_${name})
  target_include_directories(naru_${name} PUBLIC $<BUILD_INTERFACE:${CMAKE_CURRENT_SOURCE_DIR}/include> PRIVATE ${CMAKE_CURRENT_SOURCE_DIR}/src)
  target_link_libraries(naru_${name} PUBLIC naru_options ${ARG_PUBLIC} PRIVATE ${ARG_PRIVATE})
endfunction()

# naru_header_component(NAME [PUBLIC libs]): the same for a component without sources.
function(naru_header_component name)
  cmake_parse_arguments(ARG "" "" "PUBLIC" ${ARGN})
  add_library(naru_${name} INTERFACE)
  add_library(naru::${name} ALIAS naru_${name})
  target_include_directories(naru_${name} INTERFACE $<BUILD_INTERFACE:${CMAKE_CURRENT_SOURCE_DIR}/include>)
  target_link_libraries(naru_${name} INTERFACE naru_options ${ARG_PUBLIC})
endfunction()
