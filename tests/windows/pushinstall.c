/* A stand-in for the push-install service: on start it writes down which files it sees in the repository.
 *
 *   pushinstall.exe SCRIPT
 *
 * SCRIPT is a UTF-8 text, read at every start:
 *
 *   folder=     the repository
 *   seen=       where the names it sees go, one a line, written anew at every start
 *   diary=      where "start" and "stop" are added, one a line
 *   behaviour=  normal, slow-start, slow-stop, refuse, die, never-stop
 *   when=       behave like that only while a name with this text in it lies in the repository
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <windows.h>

enum { SLOW_MS = 3000, CHECKPOINT_MS = 250, LIFE_MS = 2000, LINE = 1024, REFUSAL = 42 };

static struct {
  wchar_t folder[LINE], seen[LINE], diary[LINE], behaviour[LINE], when[LINE];
} script;

static const wchar_t *script_path;
static SERVICE_STATUS_HANDLE handle;
static SERVICE_STATUS status;
static HANDLE asked_to_stop;

static void tell(DWORD state, DWORD hint_ms, DWORD error) {
  status.dwServiceType = SERVICE_WIN32_OWN_PROCESS;
  status.dwCheckPoint = state == status.dwCurrentState ? status.dwCheckPoint + 1 : 0;
  status.dwCurrentState = state;
  status.dwControlsAccepted = state == SERVICE_RUNNING ? SERVICE_ACCEPT_STOP : 0;
  status.dwWin32ExitCode = error ? ERROR_SERVICE_SPECIFIC_ERROR : NO_ERROR;
  status.dwServiceSpecificExitCode = error;
  status.dwWaitHint = hint_ms;
  SetServiceStatus(handle, &status);
}

static void linger(DWORD state) {
  for (int waited = 0; waited < SLOW_MS; waited += CHECKPOINT_MS) {
    tell(state, 4 * CHECKPOINT_MS, 0);
    Sleep(CHECKPOINT_MS);
  }
}

static void take(const char *line, const char *key, wchar_t *value) {
  size_t length = strlen(key);
  if (strncmp(line, key, length) == 0 && line[length] == '=') {
    MultiByteToWideChar(CP_UTF8, 0, line + length + 1, -1, value, LINE);
  }
}

static int read_script(void) {
  char line[LINE];
  FILE *file = _wfopen(script_path, L"rb");
  if (file == NULL) return 0;
  memset(&script, 0, sizeof script);
  while (fgets(line, sizeof line, file)) {
    line[strcspn(line, "\r\n")] = '\0';
    take(line, "folder", script.folder);
    take(line, "seen", script.seen);
    take(line, "diary", script.diary);
    take(line, "behaviour", script.behaviour);
    take(line, "when", script.when);
  }
  fclose(file);
  return 1;
}

/* Writes down the names of the folder's files; says whether the behaviour of the script is called for. */
static int look(void) {
  wchar_t pattern[LINE + 2];
  char name[4 * MAX_PATH];
  WIN32_FIND_DATAW found;
  int called_for = script.when[0] == L'\0';
  FILE *file = _wfopen(script.seen, L"wb");
  if (file == NULL) return called_for;
  _snwprintf(pattern, LINE + 2, L"%ls\\*", script.folder);
  HANDLE search = FindFirstFileW(pattern, &found);
  if (search != INVALID_HANDLE_VALUE) {
    do {
      if (found.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY) continue;
      WideCharToMultiByte(CP_UTF8, 0, found.cFileName, -1, name, sizeof name, NULL, NULL);
      fprintf(file, "%s\n", name);
      if (script.when[0] && wcsstr(found.cFileName, script.when)) called_for = 1;
    } while (FindNextFileW(search, &found));
    FindClose(search);
  }
  fclose(file);
  return called_for;
}

static void note(const char *word) {
  FILE *file = _wfopen(script.diary, L"ab");
  if (file == NULL) return;
  fprintf(file, "%s\n", word);
  fclose(file);
}

static DWORD WINAPI on_control(DWORD control, DWORD type, void *data, void *context) {
  (void)type, (void)data, (void)context;
  if (control == SERVICE_CONTROL_STOP) {
    tell(SERVICE_STOP_PENDING, 4 * CHECKPOINT_MS, 0);
    SetEvent(asked_to_stop);
  }
  return control == SERVICE_CONTROL_STOP || control == SERVICE_CONTROL_INTERROGATE ? NO_ERROR
                                                                                   : ERROR_CALL_NOT_IMPLEMENTED;
}

static void WINAPI service_main(DWORD count, wchar_t **words) {
  (void)count, (void)words;
  handle = RegisterServiceCtrlHandlerExW(L"", on_control, NULL);
  asked_to_stop = CreateEventW(NULL, TRUE, FALSE, NULL);
  tell(SERVICE_START_PENDING, 4 * CHECKPOINT_MS, 0);
  if (!read_script()) {
    tell(SERVICE_STOPPED, 0, REFUSAL + 1);
    return;
  }
  note("start");
  const wchar_t *behaviour = look() ? script.behaviour : L"normal";
  if (wcscmp(behaviour, L"refuse") == 0) {
    tell(SERVICE_STOPPED, 0, REFUSAL);
    return;
  }
  if (wcscmp(behaviour, L"slow-start") == 0) linger(SERVICE_START_PENDING);
  tell(SERVICE_RUNNING, 0, 0);
  if (wcscmp(behaviour, L"die") == 0) {
    WaitForSingleObject(asked_to_stop, LIFE_MS);
    tell(SERVICE_STOPPED, 0, REFUSAL);
    return;
  }
  WaitForSingleObject(asked_to_stop, INFINITE);
  note("stop");
  if (wcscmp(behaviour, L"never-stop") == 0) Sleep(INFINITE);
  if (wcscmp(behaviour, L"slow-stop") == 0) linger(SERVICE_STOP_PENDING);
  tell(SERVICE_STOPPED, 0, 0);
}

int wmain(int count, wchar_t **words) {
  SERVICE_TABLE_ENTRYW table[] = {{L"", service_main}, {NULL, NULL}};
  if (count != 2) return 2;
  script_path = words[1];
  return StartServiceCtrlDispatcherW(table) ? 0 : (int)GetLastError();
}
